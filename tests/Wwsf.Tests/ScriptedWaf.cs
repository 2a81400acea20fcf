using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Wwsf.Tests;

/// <summary>A server on a free loopback port that answers token requests with the script of a test, and records them.</summary>
internal sealed class ScriptedWaf : IAsyncDisposable
{
    public const string AccessToken = "AAy1JBYVLo16iq9gFdHyyknmx5T/Lq9YlbxgUdLcStOFS0H8xhHceHOL2f49qxp4uBpGuuLeLqk+RcAa5uP2EQ==";
    public const string Key = "WmtzanB3ZW9peFhtdm42NzUzNG1ab2tzanB3ZW9peFg=";
    public const string GoodAnswer = $$"""
        {"access_token":"{{AccessToken}}","token_type":"pop","expires_in":600,"kid":"k1","key":"{{Key}}","alg":"HMAC-SHA-256-128"}
        """;

    public const string RegistrationToken = "eyJhbGciOiJkaXIi..48V1_ALb6US04U3b."
        + "5eym8TW_c8SuK0ltJ3rpYIzOeDQz7TALvtu6UG9oMo4vpzs9tX_EFShS8iB7j6ji.XFBoMYUZodetZdvTiFvSkQ";

    private readonly WebApplication _app;

    private ScriptedWaf(WebApplication app) => _app = app;

    public string Address => _app.Urls.Single();

    public List<TokenRequest> Requests { get; } = [];

    /// <summary>Writes the response to the request with this number, from 1.</summary>
    public Func<HttpContext, int, Task> Script { get; set; } =
        (context, _) => Json(context, 200, context.Request.Form["scope"] == "stun" ? GoodAnswer : RegistrationAnswer(600));

    public static async Task<ScriptedWaf> StartAsync(Func<HttpContext, int, Task>? script = null, int port = 0)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.ShareActivitySource();
        builder.WebHost.UseUrls($"http://127.0.0.1:{port}");
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.AddServerHeader = false);
        builder.Services.Configure<Microsoft.Extensions.Hosting.HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(1));
        var app = builder.Build();
        var waf = new ScriptedWaf(app);
        if (script is not null) waf.Script = script;
        app.MapPost("/oauth2/token", waf.AnswerAsync);
        await app.StartAsync(TestContext.Current.CancellationToken);
        return waf;
    }

    public static string RegistrationAnswer(int expiresIn) => $$"""
        {"access_token":"{{RegistrationToken}}","token_type":"Bearer","expires_in":{{expiresIn}},"scope":"ims.register"}
        """;

    public static Task Json(HttpContext context, int status, string json)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        return context.Response.WriteAsync(json);
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task AnswerAsync(HttpContext context)
    {
        var form = await context.Request.ReadFormAsync();
        int number;
        lock (Requests)
        {
            Requests.Add(new(form.ToDictionary(field => field.Key, field => field.Value.ToString()),
                context.Request.Headers.Authorization.ToString(), context.Request.Headers.TraceParent.ToString()));
            number = Requests.Count;
        }
        await Script(context, number);
    }
}

internal sealed record TokenRequest(IReadOnlyDictionary<string, string> Form, string Authorization, string TraceParent);
