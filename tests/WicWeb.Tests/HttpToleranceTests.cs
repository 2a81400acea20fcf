using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Http;

namespace WebRtcIms.WicWeb.Tests;

/// <summary>Requests as HTTP allows or forbids them, for all endpoints of the gateway and those behind it.</summary>
public sealed class HttpToleranceTests(HttpToleranceTests.Service service) : IClassFixture<HttpToleranceTests.Service>
{
    [Requirement("EXP-09")]
    [Theory, MemberData(nameof(HttpTolerance.Cases), MemberType = typeof(HttpTolerance))]
    public Task EveryEndpoint_AnswersAsHttpSays(string request) => service.Http.CheckAsync(request);

    public sealed class Service : IAsyncLifetime
    {
        private BackendStub _backend = null!;
        private GatewayFactory _gateway = null!;

        public HttpTolerance Http { get; private set; } = null!;

        public async ValueTask InitializeAsync()
        {
            _backend = await BackendStub.StartAsync();
            _gateway = new GatewayFactory(_backend.Address, epCscf: _backend.Address) { FlowView = _backend.Address }
                .With("environment", "Development").With("WicWeb:KnownProxies:0", "127.0.0.1").With("WicWeb:Flow", "Token")
                .With("WicWeb:FlowToken", "a-token-of-at-least-32-characters");
            // Other methods of the directory's path are for the WWSF, as all of /api.
            Http = new(_gateway.Address,
            [
                .. from endpoint in HttpEndpoint.Of(_gateway.Services.GetServices<EndpointDataSource>())
                   select endpoint.Path == "/api/directory" ? endpoint with { Methods = [] } : endpoint,
            ])
            {
                Logs = _gateway.Logs,
                // Requests of one session would meet the limit of each session.
                Headers = $"Cookie: {BackendStub.Cookie}{{number}}\r\n",
                BodyOf = _ => ("application/json", """{"resourceSpans":[]}"""),
            };
        }

        public async ValueTask DisposeAsync()
        {
            await _gateway.DisposeAsync();
            await _backend.DisposeAsync();
        }
    }
}
