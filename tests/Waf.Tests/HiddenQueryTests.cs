using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Waf.Tests;

/// <summary>The query of a request on Kestrel, whose raw target has it a second time.</summary>
public sealed class HiddenQueryTests
{
    [Fact]
    [Requirement("ABUSE-87")]
    public async Task PasswordInTheQuery_IsNowhereInTheRequest_AndInNoLog()
    {
        var probe = new Probe();
        using var app = new WafApp().WithAllLogs().WithServices(services => services.AddSingleton<IStartupFilter>(probe)).Listen();

        (await new TokenRequest().GetAsync(app)).AssertOk();

        Assert.Equal(("", TokenRequest.Path), probe.Seen);
        Assert.Contains(app.Logs.Records, record => record.Contains("Microsoft.AspNetCore.Server.Kestrel", StringComparison.Ordinal));
        foreach (var secret in Secret.Spellings(WafApp.ClientSecret))
            Assert.DoesNotContain(secret, app.Logs.Text, StringComparison.OrdinalIgnoreCase);
    }

    private sealed class Probe : IStartupFilter
    {
        public (string QueryString, string RawTarget)? Seen { get; private set; }

        public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => pipeline =>
        {
            pipeline.Use((HttpContext context, RequestDelegate rest) =>
            {
                var request = context.Features.GetRequiredFeature<IHttpRequestFeature>();
                Seen = (request.QueryString, request.RawTarget);
                return rest(context);
            });
            next(pipeline);
        };
    }
}
