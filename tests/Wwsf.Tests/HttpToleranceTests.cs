using System.Text.Json;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Http;

namespace WebRtcIms.Wwsf.Tests;

/// <summary>Requests as HTTP allows or forbids them, for all endpoints.</summary>
public sealed class HttpToleranceTests(HttpToleranceTests.Service service) : IClassFixture<HttpToleranceTests.Service>
{
    [Requirement("EXP-09")]
    [Theory, MemberData(nameof(HttpTolerance.Cases), MemberType = typeof(HttpTolerance))]
    public Task EveryEndpoint_AnswersAsHttpSays(string request) => service.Http.CheckAsync(request);

    /// <summary>A browser that has loaded the page and has no session, so that requests change nothing for those that follow.</summary>
    public sealed class Service : IAsyncLifetime
    {
        private WwsfApp _app = null!;
        private OpenIdProvider _provider = null!;

        public HttpTolerance Http { get; private set; } = null!;

        public async ValueTask InitializeAsync()
        {
            _provider = await OpenIdProvider.StartAsync();
            _app = new WwsfApp().With(_provider).Listen();
            using var client = new HttpClient();
            using var answer = await client.GetAsync(new Uri(_app.Address, "/api/session"), TestContext.Current.CancellationToken);
            var page = JsonElement.Parse(await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
            var cookies = string.Join("; ", answer.Headers.GetValues("Set-Cookie").Select(cookie => cookie.Split(';')[0]));
            Http = new(_app.Address, HttpEndpoint.Of(_app.Services.GetServices<EndpointDataSource>()))
            {
                Logs = _app.Logs,
                Headers = $"Cookie: {cookies}\r\nX-XSRF-TOKEN: {page.GetProperty("antiforgery_token").GetString()}\r\n",
            };
        }

        public async ValueTask DisposeAsync()
        {
            await _app.DisposeAsync();
            await _provider.DisposeAsync();
        }
    }
}
