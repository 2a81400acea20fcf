using System.Net;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using WebRtcIms.ServiceDefaults;
using WebRtcIms.Turn.Addresses;
using WebRtcIms.Turn.Admission;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Hosting;
using WebRtcIms.Turn.Settings;

namespace WebRtcIms.Turn.Management;

/// <summary>
/// The HTTP endpoints, at a port of their own. Health and readiness are for every caller. Only this machine can list and end allocations,
/// revoke and drain.
/// </summary>
internal static partial class ManagementEndpoint
{
    /// <summary>The largest request is a revocation.</summary>
    public const int MaxRequestBodyBytes = 16 * 1024;

    public static void Listen(KestrelServerOptions kestrel, string url)
    {
        var address = BindingAddress.Parse(url);
        if (string.Equals(address.Host, "localhost", StringComparison.OrdinalIgnoreCase)) kestrel.ListenLocalhost(address.Port, Configure);
        else if (IPAddress.TryParse(address.Host, out var ip)) kestrel.Listen(ip, address.Port, Configure);
        else kestrel.ListenAnyIP(address.Port, Configure);

        void Configure(ListenOptions listen)
        {
            if (address.Scheme == Uri.UriSchemeHttps) listen.UseHttps();
        }
    }

    public static void MapManagement(this WebApplication app)
    {
        // Separate from health: a draining node is healthy, and should get no new clients.
        app.MapGet("/ready", (Drain drain, TurnSettings settings, KeyReload keys, ListeningAddresses addresses) =>
            drain.IsDraining ? NotReady("draining")
            : addresses.Live.Count == 0 ? NotReady("no addresses")
            : settings.KeyDelivery is not null && !keys.HasKeys ? NotReady("no keys")
            : Results.Json(new { status = "ready" }));

        var operators = app.MapGroup("").AddEndpointFilter(OnlyOperatorsAsync);
        operators.MapGet("/allocations", (IReadOnlyList<EngineHost> hosts) => hosts.SelectMany(host =>
        {
            var now = host.Now;
            return host.Allocations().Select(live => AllocationView.Of(live.Allocation, live.Record, now));
        }));
        if (app.Environment.IsDevelopment()) operators.MapGet("/opened-tokens", OpenedToken.Find);
        operators.MapDelete("/allocations/{id}", (string id, IReadOnlyList<EngineHost> hosts) =>
            hosts.Sum(host => host.End((_, record) => record.Id == id, AllocationEnd.Disconnected)) > 0
                ? Results.NoContent() : Results.NotFound());
        operators.MapPost("/revocations", RevokeAsync);
        operators.MapPost("/drain", (Drain drain, AllocationQuotas live) =>
        {
            drain.Begin();
            return Results.Json(new { status = "draining", allocations = live.Total });
        });
        operators.MapDelete("/drain", (Drain drain) => drain.TryResume()
            ? Results.Json(new { status = "ready" })
            : Results.Problem("The process is stopping.", statusCode: StatusCodes.Status409Conflict));

        // They are the first that Kestrel was given.
        app.Lifetime.ApplicationStarted.Register(() =>
            LogListening(app.Logger, string.Join(", ", app.Urls.Take(ManagementSettings.Urls(app.Configuration).Length))));
    }

    private static IResult NotReady(string status) => Results.Json(new { status }, statusCode: StatusCodes.Status503ServiceUnavailable);

    private static async Task<IResult> RevokeAsync(RevocationRequest request, RevocationFeed feed, TimeProvider time)
    {
        if (request.Named() is not { } named)
            return Results.Problem(
                "Give 'kid', or 'kid' and 'token_id', or 'client_id', or 'all': true.", statusCode: StatusCodes.Status400BadRequest);
        return await feed.RevokeAsync(named.Name, time.GetUtcNow() + named.Retention)
            ? Results.NoContent()
            : Results.Problem(
                "It is only revoked at this node, because Redis does not answer. Try again.",
                statusCode: StatusCodes.Status503ServiceUnavailable);
    }

    /// <summary>For other machines these paths do not exist. A page in a browser of this machine is also refused.</summary>
    private static async ValueTask<object?> OnlyOperatorsAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        var http = context.HttpContext;
        if (!http.RequestServices.GetRequiredService<TurnSettings>().Management.AllowRemote)
        {
            if (!LocalCaller.Is(http)) return Results.NotFound();
            if (!LocalCaller.NamesThisMachine(http)) return Refuse("The Host must be localhost or a loopback address.");
        }

        return LocalCaller.IsPage(http) ? Refuse("This is not for pages.") : await next(context);

        static IResult Refuse(string reason) => Results.Problem(reason, statusCode: StatusCodes.Status403Forbidden);
    }

    [LoggerMessage(1, LogLevel.Information, "Management listens on {Urls}")]
    private static partial void LogListening(ILogger logger, string urls);
}
