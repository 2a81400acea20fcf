using Microsoft.AspNetCore.Routing;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Http;

namespace WebRtcIms.EpCscf.Tests;

/// <summary>Requests as HTTP allows or forbids them, for all endpoints.</summary>
public sealed class HttpToleranceTests(HttpToleranceTests.Service service) : IClassFixture<HttpToleranceTests.Service>
{
    [Requirement("EXP-09")]
    [Theory, MemberData(nameof(HttpTolerance.Cases), MemberType = typeof(HttpTolerance))]
    public Task EveryEndpoint_AnswersAsHttpSays(string request) => service.Http.CheckAsync(request);

    public sealed class Service : IDisposable
    {
        private readonly EpCscfApp _app = new EpCscfApp().Listen();

        public Service() => Http = new(_app.Address, HttpEndpoint.Of([_app.Service<EndpointDataSource>()]))
        {
            Logs = _app.Logs,
            Headers = $"Authorization: Bearer {EpCscfApp.SessionsKey}\r\n",
            BodyOf = _ => ("application/json", """{"sid":"s1"}"""),
        };

        public HttpTolerance Http { get; }

        public void Dispose() => _app.Dispose();
    }
}
