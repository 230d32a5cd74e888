"""infra/prefect"""
