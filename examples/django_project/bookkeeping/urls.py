"""The addresses of the views."""

from django.urls import path

from bookkeeping.views import company

urlpatterns = [path("companies/<slug:name>", company)]
