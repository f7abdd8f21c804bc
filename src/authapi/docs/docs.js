// Draws the document, and lets a login that is made here authorise the calls that follow.
window.addEventListener("load", () => {
  const ui = SwaggerUIBundle({
    url: "/openapi.json",
    dom_id: "#docs",
    deepLinking: true,
    displayOperationId: true,
    tryItOutEnabled: true,
    validatorUrl: null,
    responseInterceptor: (response) => {
      const token = response.body?.access_token ?? response.obj?.access_token;
      if (token) {
        const schema = ui.specSelectors.specJson().getIn(["components", "securitySchemes", "access_token"]);
        ui.authActions.authorize({ access_token: { name: "access_token", schema, value: token } });
      }
      return response;
    },
  });
});
