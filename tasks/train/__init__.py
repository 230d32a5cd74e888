"""tasks/train"""
