using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Http;

namespace WebRtcIms.FlowView.Tests;

/// <summary>Requests as HTTP allows or forbids them, for all endpoints.</summary>
public sealed class HttpToleranceTests(HttpToleranceTests.Service service) : IClassFixture<HttpToleranceTests.Service>
{
    [Requirement("EXP-09")]
    [Theory, MemberData(nameof(HttpTolerance.Cases), MemberType = typeof(HttpTolerance))]
    public Task EveryEndpoint_AnswersAsHttpSays(string request) => service.Http.CheckAsync(request);

    public sealed class Service : IDisposable
    {
        private readonly FlowViewApp _app = new FlowViewApp().Listen();

        public Service() => Http = new(_app.Address, HttpEndpoint.Of(_app.Services.GetServices<EndpointDataSource>()))
        {
            Logs = _app.Logs,
            Decoding = ["/v1/traces", "/v1/logs", "/v1/metrics"],
        };

        public HttpTolerance Http { get; }

        public void Dispose() => _app.Dispose();
    }
}
