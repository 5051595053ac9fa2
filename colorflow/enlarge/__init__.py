"""Super-resolution as an inverse problem: p(high resolution | low resolution) by a flow."""
