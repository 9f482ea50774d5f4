// The certified oidc-provider, with the paths of Procountor: node oidc_provider.mjs FOLDER_OF_THE_PACKAGE
// Prints one line of JSON with its address, and serves until it is ended.
import { createServer } from 'node:http';
import { pathToFileURL } from 'node:url';

const log = console.info;
console.info = console.warn = () => {};
const { default: Provider } = await import(pathToFileURL(`${process.argv[2]}/lib/index.js`));

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: 'client-1',
        client_secret: 'foreign-client-secret-4711',
        redirect_uris: ['https://app.example/callback'],
        grant_types: ['authorization_code', 'refresh_token', 'client_credentials'],
        response_types: ['code'],
        token_endpoint_auth_method: 'client_secret_post',
      },
    ],
    features: { clientCredentials: { enabled: true }, devInteractions: { enabled: true } },
    pkce: { methods: ['S256'], required: () => true },
    issueRefreshToken: () => true,
    rotateRefreshToken: true,
    routes: { authorization: '/login', token: '/api/oauth/token' },
    cookies: { keys: ['for this run alone'] },
  });
  // A request without a scope gets this server's default one (RFC 6749, section 3.3); Procountor's clients send none.
  provider.use((ctx, next) => {
    if (ctx.path === '/login' && !ctx.query.scope) ctx.query = { ...ctx.query, scope: 'openid' };
    return next();
  });
  server.on('request', provider.callback());
  log(JSON.stringify({ base_url: issuer }));
});
