using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Wwsf.Tests;

/// <summary>The session endpoint of an eP-CSCF. It knows the sessions that a test adds.</summary>
internal sealed class ScriptedEpCscf : IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, bool> _ended = [];
    private readonly WebApplication _app;

    private ScriptedEpCscf(WebApplication app) => _app = app;

    public string Address => _app.Urls.Single();

    /// <summary>Registered sessions. DELETE removes one.</summary>
    public ConcurrentDictionary<string, bool> Registered { get; } = [];

    /// <summary>Whether every session is registered, except those that a DELETE ended.</summary>
    public bool RegistersEverybody { get; set; }

    /// <summary>The requests, such as <c>DELETE</c> and the pseudonym.</summary>
    public ConcurrentQueue<(string Method, string Sid)> Requests { get; } = [];

    /// <summary>Replaces the response if it returns true.</summary>
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
            _ended[sid] = true;
            context.Response.StatusCode = 204;
            return;
        }

        var registered = Registered.ContainsKey(sid) || (RegistersEverybody && !_ended.ContainsKey(sid));
        await context.Response.WriteAsJsonAsync(new { registered, expires_in = registered ? 412 : 0 });
    }
}
