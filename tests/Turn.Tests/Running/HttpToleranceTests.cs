using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Hosting;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Http;
using WebRtcIms.Turn.Management;

namespace WebRtcIms.Turn.Tests.Running;

/// <summary>Requests as HTTP allows or forbids them, for all endpoints of the management port.</summary>
public sealed class HttpToleranceTests(HttpToleranceTests.Service service) : IClassFixture<HttpToleranceTests.Service>
{
    [Requirement("EXP-09")]
    [Theory, MemberData(nameof(HttpTolerance.Cases), MemberType = typeof(HttpTolerance))]
    public Task EveryEndpoint_AnswersAsHttpSays(string request) => service.Http.CheckAsync(request);

    public sealed class Service : IAsyncLifetime
    {
        private TurnServerProcess _server = null!;

        public HttpTolerance Http { get; private set; } = null!;

        public async ValueTask InitializeAsync()
        {
            _server = await TurnServerProcess.StartAsync(new TokenKey("k1").Settings());
            Http = new(new Uri($"http://127.0.0.1:{_server.ManagementPort}"), Endpoints())
            {
                BodyOf = _ => ("application/json", """{"kid":"k2"}"""),
            };
        }

        public ValueTask DisposeAsync() => _server.DisposeAsync();

        // As the server maps them. This application does not start.
        private static IReadOnlyList<HttpEndpoint> Endpoints()
        {
            var builder = WebApplication.CreateBuilder();
            builder.Configuration["Turn:StaticUsers:0:Name"] = "alice";
            builder.Configuration["Turn:StaticUsers:0:Password"] = "secret";
            builder.AddServiceDefaults();
            builder.AddTurn(builder.Configuration.ReadTurnSettings());
            using var app = builder.Build();
            app.MapManagement();
            app.MapDefaultEndpoints();
            return HttpEndpoint.Of(((IEndpointRouteBuilder)app).DataSources);
        }
    }
}
