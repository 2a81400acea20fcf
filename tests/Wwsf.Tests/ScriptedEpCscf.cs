using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using WebRtcIms.Contracts;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Wwsf.Tests;

/// <summary>The session endpoints of an eP-CSCF. It knows the sessions that a test adds.</summary>
internal sealed class ScriptedEpCscf : IAsyncDisposable
{
    public const string Key = "the-key-that-wwsf-and-epcscf-share";

    private readonly ConcurrentDictionary<string, bool> _ended = [];
    private readonly WebApplication _app;

    private ScriptedEpCscf(WebApplication app) => _app = app;

    public string Address => _app.Urls.Single();

    /// <summary>Registered sessions. <c>end</c> removes one.</summary>
    public ConcurrentDictionary<string, bool> Registered { get; } = [];

    /// <summary>Whether every session is registered, except those that <c>end</c> ended.</summary>
    public bool RegistersEverybody { get; set; }

    /// <summary>The requests: <c>find</c> or <c>end</c>, and the pseudonym.</summary>
    public ConcurrentQueue<(string Action, string Sid)> Requests { get; } = [];

    /// <summary>Until when the eP-CSCF was asked to remember the end of a session.</summary>
    public ConcurrentDictionary<string, DateTimeOffset> Until { get; } = [];

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
        app.MapPost("/sessions/{action}", epCscf.AnswerAsync);
        await app.StartAsync(TestContext.Current.CancellationToken);
        return epCscf;
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task AnswerAsync(HttpContext context)
    {
        var token = context.Request.Headers.Authorization.ToString().Split(' ')[^1];
        // A clock of a test may be anywhere.
        var made = DateTimeOffset.FromUnixTimeSeconds(long.Parse(token.Split('.')[0], CultureInfo.InvariantCulture));
        if (!SessionsToken.Verify(token, [Key], made))
        {
            context.Response.StatusCode = 401;
            return;
        }

        var action = (string)context.Request.RouteValues["action"]!;
        var body = await context.Request.ReadFromJsonAsync<JsonElement>();
        var sid = body.GetProperty("sid").GetString()!;
        if (action == "end") Until[sid] = body.GetProperty("until").GetDateTimeOffset();
        Requests.Enqueue((action, sid));
        if (await Trouble(context)) return;
        if (action == "end")
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
