"""The web page and the REST API, on FastAPI and uvicorn, without torch in the process."""
