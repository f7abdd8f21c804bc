"""The document and its two pages, with scripts of our own serving: nothing is loaded from elsewhere."""

from functools import cache
from importlib.resources import files

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse

from authapi.core.problems import NotFound

router = APIRouter(include_in_schema=False)

ASSETS = {
    "swagger.js": ("fastapi_offline", "static/swagger-ui-bundle.js", "text/javascript"),
    "swagger.css": ("fastapi_offline", "static/swagger-ui.css", "text/css"),
    "redoc.js": ("fastapi_offline", "static/redoc.standalone.js", "text/javascript"),
    "docs.js": ("authapi.docs", "docs.js", "text/javascript"),
}

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>authapi</title>
<meta name="viewport" content="width=device-width, initial-scale=1">{head}</head><body>{body}</body></html>"""


@router.get("/openapi.json")
async def openapi(request: Request) -> JSONResponse:
    return JSONResponse(request.app.openapi())


@router.get("/docs")
async def docs() -> HTMLResponse:
    return HTMLResponse(
        PAGE.format(
            head='<link rel="stylesheet" href="/docs/swagger.css"><link rel="icon" href="data:,">',
            body='<div id="docs"></div><script src="/docs/swagger.js"></script><script src="/docs/docs.js"></script>',
        )
    )


@router.get("/redoc")
async def redoc() -> HTMLResponse:
    return HTMLResponse(
        PAGE.format(
            head='<link rel="icon" href="data:,">',
            body='<redoc spec-url="/openapi.json" disable-google-font></redoc><script src="/docs/redoc.js"></script>',
        )
    )


@router.get("/docs/{name}")
async def asset(name: str) -> Response:
    if name not in ASSETS:
        raise NotFound()
    return Response(_asset(name), media_type=ASSETS[name][2], headers={"Cache-Control": "public, max-age=3600"})


@cache
def _asset(name: str) -> bytes:
    """Read once, when somebody first asks."""
    package, path, _ = ASSETS[name]
    return files(package).joinpath(path).read_bytes()
