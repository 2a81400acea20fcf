using System.Collections.Concurrent;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;
using WebRtcIms.Contracts;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.WicWeb.Tests;

/// <summary>A fake WWSF or eP-CSCF. It records every request and answers as the test says.</summary>
internal sealed class BackendStub : IAsyncDisposable
{
    /// <summary>The cookie of a live session. Other values that begin like this are live also.</summary>
    public const string Cookie = "wwsf-session=live";

    /// <summary>The gateway must not forward this.</summary>
    public const string Health = "health of the backend";

    private readonly WebApplication _app;

    private BackendStub(WebApplication app) => _app = app;

    public ConcurrentQueue<ReceivedRequest> Requests { get; } = [];

    /// <summary>The gateway's own questions about sessions.</summary>
    public ConcurrentQueue<string> SessionChecks { get; } = [];

    public Func<HttpContext, Task> Answer { get; set; } = context => context.Response.WriteAsJsonAsync(new { ok = true });

    public string Address => _app.Urls.Single();

    public static async Task<BackendStub> StartAsync(int port = 0)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.ShareActivitySource();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, port));
        var app = builder.Build();
        var backend = new BackendStub(app);
        app.UseWebSockets();
        app.Run(backend.HandleAsync);
        await app.StartAsync();
        return backend;
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task HandleAsync(HttpContext context)
    {
        if (context.Request.Path == "/session")
        {
            var cookies = context.Request.Headers.Cookie.ToString();
            SessionChecks.Enqueue(cookies);
            // As the WWSF: only the cookie of the session counts, and the first of several.
            var session = cookies.Split("; ").FirstOrDefault(cookie => cookie.Split('=')[0] == Cookie.Split('=')[0]) ?? "";
            var isLive = session.StartsWith(Cookie, StringComparison.Ordinal);
            context.Response.StatusCode = isLive ? StatusCodes.Status204NoContent : StatusCodes.Status401Unauthorized;
            if (isLive) context.Response.Headers[LiveSession.Name] = session;
            return;
        }

        using var reader = new StreamReader(context.Request.Body);
        var body = await reader.ReadToEndAsync();
        var target = context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;
        Requests.Enqueue(
            new ReceivedRequest(context.Request.Method, target, body,
            context.Request.Headers.ToDictionary(h => h.Key, h => h.Value.ToString())));
        if (context.Request.Path == "/health") await context.Response.WriteAsync(Health);
        else await Answer(context);
    }
}

internal sealed record ReceivedRequest(string Method, string Target, string Body, IReadOnlyDictionary<string, string> Headers);
