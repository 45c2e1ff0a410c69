"""Runs of the real daemon in processes of their own: killed, hanging, stopped, left behind."""
