"""The system on Celery, with Redis or RabbitMQ as its broker."""
