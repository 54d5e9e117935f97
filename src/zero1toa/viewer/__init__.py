"""The web viewer: a small local server for its built client, and the client and an avatar as one HTML file.

`static` holds the client, built from `web/` by `scripts/build-viewer`.
"""

from zero1toa.viewer.page import standalone_page as standalone_page
from zero1toa.viewer.server import ViewerServer as ViewerServer
