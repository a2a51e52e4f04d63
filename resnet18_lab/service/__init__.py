"""The web page's and other programs' way in: a REST service on FastAPI and uvicorn, without torch in the process."""
