"""Grafana's dashboards as tables of panels, the JSON made of them, and Prometheus' configuration beside it."""
