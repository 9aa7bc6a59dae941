"use strict";

for (const place of document.querySelectorAll("[data-origin]")) {
  place.textContent = window.location.origin;
}

window.SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#calls",
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  defaultModelExpandDepth: 3,
  displayRequestDuration: true,
  persistAuthorization: false, // a key typed here is gone with the page
  validatorUrl: null, // it would ask another host
});
