"""Make the table."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """The first one."""

    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            name="TokenEntry",
            fields=[
                ("key", models.CharField(max_length=128, primary_key=True, serialize=False)),
                ("version", models.BigIntegerField(default=0)),
                ("data", models.BinaryField(null=True)),
                ("holder", models.CharField(default="", max_length=64)),
                ("held_until", models.FloatField(default=0.0)),
            ],
        ),
    ]
