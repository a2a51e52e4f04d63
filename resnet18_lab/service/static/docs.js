"use strict";
(async () => {
  const here = new URL(".", document.baseURI);
  const spec = await (await fetch(new URL("openapi.json", here))).json();
  spec.servers = [{ url: here.pathname.replace(/\/$/, "") || "/" }]; // a proxy may show the service under a path
  // The key that the page was given in this tab is used here, too.
  const requestInterceptor = (request) => {
    const key = sessionStorage.getItem(`resnet18-lab ${here.pathname} key`);
    if (key !== null && new URL(request.url, here).origin === here.origin) {
      request.headers.Authorization ??= `Bearer ${key}`;
    }
    return request;
  };
  // No validator badge: it would send the address of this service to another site.
  const options = { dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null };
  window.ui = SwaggerUIBundle({ spec, requestInterceptor, ...options });
})();
