using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Wwsf.Tests;

/// <summary>What an eP-CSCF tells the WWSF: whether a session is registered. It knows the sessions that a test gives it.</summary>
internal sealed class ScriptedEpCscf : IAsyncDisposable
{
    private readonly WebApplication _app;

    private ScriptedEpCscf(WebApplication app) => _app = app;

    public string Address => _app.Urls.Single();

    /// <summary>Sessions that are registered; a DELETE takes one out.</summary>
    public ConcurrentDictionary<string, bool> Registered { get; } = [];

    /// <summary>Requests such as <c>DELETE</c> and the pseudonym.</summary>
    public ConcurrentQueue<(string Method, string Sid)> Requests { get; } = [];

    /// <summary>Takes the place of the answer; returns whether it did.</summary>
    public Func<HttpContext, Task<bool>> Trouble { get; set; } = _ => Task.FromResult(false);

    public static async Task<ScriptedEpCscf> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.ShareActivitySource();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        var epCscf = new ScriptedEpCscf(app);
        app.Map("/sessions/{sid}", epCscf.AnswerAsync);
        await app.StartAsync(TestContext.Current.CancellationToken);
        return epCscf;
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task AnswerAsync(HttpContext context)
    {
        var sid = (string)context.Request.RouteValues["sid"]!;
        Requests.Enqueue((context.Request.Method, sid));
        if (await Trouble(context)) return;
        if (context.Request.Method == "DELETE")
        {
            Registered.TryRemove(sid, out _);
            context.Response.StatusCode = 204;
            return;
        }

        await context.Response.WriteAsJsonAsync(
            new { registered = Registered.ContainsKey(sid), expires_in = Registered.ContainsKey(sid) ? 412 : 0 });
    }
}
