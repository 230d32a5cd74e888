"""tasks/evaluate"""
