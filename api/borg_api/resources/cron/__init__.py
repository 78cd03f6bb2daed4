"""Help with cron expressions."""
