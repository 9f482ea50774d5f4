"""The program: it is the same for every strategy."""

import httpx

from procountor_auth.httpx import ProcountorAuth

auth = ProcountorAuth()
with httpx.Client(auth=auth, base_url=auth.api_url) as client:
    company = client.get("sessioninfo").raise_for_status().json()
    print(f"{company['name']} (company {company['companyId']})")
