"""The project's settings. Those of Procountor are environment variables."""

import os

SECRET_KEY = os.environ["DJANGO_SECRET_KEY"]
ALLOWED_HOSTS = os.environ.get("DJANGO_ALLOWED_HOSTS", "localhost").split(",")
ROOT_URLCONF = "bookkeeping.urls"
INSTALLED_APPS = ["bookkeeping"]
USE_TZ = True

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "loggers": {"procountor_auth": {"handlers": ["console"], "level": "INFO"}},
}
