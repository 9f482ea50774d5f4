"""The table."""

from django.db import models


class TokenEntry(models.Model):
    """One entry, and the holder of its lock. A row without data is only a lock."""

    key = models.CharField(max_length=128, primary_key=True)
    version = models.BigIntegerField(default=0)
    data = models.BinaryField(null=True)
    holder = models.CharField(max_length=64, default="")
    held_until = models.FloatField(default=0.0)

    class Meta:
        """Its place."""

        app_label = "procountor_tokens"
