"""mathagent over HTTP: an OpenAI-compatible endpoint, solves with their events, the solutions that came of them.

``app.create_app`` makes the FastAPI app, ``serving.serve`` runs it. docs/server.md has the routes.
"""
