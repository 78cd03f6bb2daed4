"""/docs: the OpenAPI document to try out, with scripts of its own, since a cluster may not reach the internet."""

from fastapi import FastAPI, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.staticfiles import StaticFiles

from borg_api.edge.openapi import ApiRouter

router = ApiRouter()

_ASSETS = "docs-assets"  # named relative to the page, which an Ingress may serve below a path of its own
_HEADERS = {
    "Content-Security-Policy": "frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
}
"""A token is typed in here: into this page, and no other around it."""


@router.get("/docs", include_in_schema=False)
async def show_documentation() -> Response:
    page = get_swagger_ui_html(
        openapi_url="openapi.json",
        title="Borg operator: REST",
        swagger_js_url=f"{_ASSETS}/swagger-ui-bundle.js",
        swagger_css_url=f"{_ASSETS}/swagger-ui.css",
        swagger_favicon_url=f"{_ASSETS}/favicon-32x32.png",
        swagger_ui_parameters={"displayRequestDuration": True, "tryItOutEnabled": True},
    )
    page.headers.update(_HEADERS)
    return page


def mount_assets(app: FastAPI) -> None:
    """Serve what the page needs."""
    app.mount(f"/{_ASSETS}", StaticFiles(packages=[("fastapi_swagger", "resources")]))
