using System.Text;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Http;

namespace WebRtcIms.Waf.Tests;

/// <summary>Requests as HTTP allows or forbids them, for all endpoints of both ports.</summary>
public sealed class HttpToleranceTests(HttpToleranceTests.Service service) : IClassFixture<HttpToleranceTests.Service>
{
    [Requirement("EXP-09")]
    [Theory, MemberData(nameof(HttpTolerance.Cases), MemberType = typeof(HttpTolerance))]
    public async Task EveryEndpoint_AnswersAsHttpSays(string request)
    {
        await service.Public.CheckAsync(request);
        await service.OAuth.CheckAsync(request);
        await service.Administration.CheckAsync(request);
    }

    public sealed class Service : IDisposable
    {
        private readonly Administration _administration = new(new WafApp().With("Waf:TokenRequestsPerMinute", "1000000"));

        public Service()
        {
            var app = _administration.App;
            var endpoints = HttpEndpoint.Of(app.Services.GetServices<EndpointDataSource>());
            var client = Convert.ToBase64String(Encoding.ASCII.GetBytes($"{WafApp.OtherClient}:{WafApp.OtherSecret}"));
            Public = new(app.Address, [.. endpoints.Where(endpoint => !IsOfAdministration(endpoint))]);
            OAuth = new(app.Address,
            [
                new("/oauth2/token", ["GET", "POST"], ReadsJson: false),
                new("/.well-known/oauth-authorization-server", [], ReadsJson: false),
            ])
            {
                Logs = app.Logs,
                Headers = $"Authorization: Basic {client}\r\n",
                BodyOf = _ => ("application/x-www-form-urlencoded", "grant_type=client_credentials&scope=stun"),
            };
            Administration = new(_administration.Address, [.. endpoints.Where(IsOfAdministration)]);
        }

        public HttpTolerance Public { get; }

        /// <summary>The endpoints of OpenIddict, which are not routes.</summary>
        public HttpTolerance OAuth { get; }

        public HttpTolerance Administration { get; }

        public void Dispose() => _administration.Dispose();

        private static bool IsOfAdministration(HttpEndpoint endpoint) => endpoint.Path.StartsWith("/admin/", StringComparison.Ordinal);
    }
}
