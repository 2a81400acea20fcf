using System.Net;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using WebRtcIms.Contracts;
using WebRtcIms.Turn.Authorization;
using WebRtcIms.Turn.Caching;
using WebRtcIms.Turn.Engine;
using WebRtcIms.Turn.Transport;

namespace WebRtcIms.Turn;

/// <summary>
/// HTTP apart from the TURN ports: health and readiness for everyone who can reach the port; the list of allocations, disconnecting,
/// revoking and draining only for this machine.
/// </summary>
internal static partial class ManagementEndpoint
{
    /// <summary>ASPNETCORE_URLS; the ports of ASPNETCORE_HTTP_PORTS or HTTP_PORTS, as container images have it; or port 8083 of this machine.</summary>
    public static string[] Urls(IConfiguration configuration) =>
        configuration["urls"] is { Length: > 0 } urls ? Split(urls)
        : configuration["http_ports"] is { Length: > 0 } ports ? [.. Split(ports).Select(port => $"http://*:{port}")]
        : ["http://localhost:8083"];

    private static string[] Split(string text) => text.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    public static void Listen(KestrelServerOptions kestrel, string url)
    {
        var address = BindingAddress.Parse(url);
        if (string.Equals(address.Host, "localhost", StringComparison.OrdinalIgnoreCase)) kestrel.ListenLocalhost(address.Port);
        else if (IPAddress.TryParse(address.Host, out var ip)) kestrel.Listen(ip, address.Port);
        else kestrel.ListenAnyIP(address.Port);
    }

    public static void MapManagement(this WebApplication app)
    {
        // Apart from health: a node that drains is healthy, and should get no new clients.
        app.MapGet("/ready", (Drain drain) => drain.IsDraining
            ? Results.Json(new { status = "draining" }, statusCode: StatusCodes.Status503ServiceUnavailable)
            : Results.Json(new { status = "ready" }));

        var operators = app.MapGroup("").AddEndpointFilter(OnlyOperatorsAsync);
        operators.MapGet("/allocations", (IReadOnlyList<TurnServer> servers) => servers.SelectMany(server =>
        {
            var now = server.Now;
            return server.Allocations().Select(live => AllocationView.Of(live.Allocation, live.Record, now));
        }));
        operators.MapDelete("/allocations/{id}", (string id, IReadOnlyList<TurnServer> servers) =>
            servers.Sum(server => server.End((_, record) => record.Id == id, AllocationEnd.Disconnected)) > 0 ? Results.NoContent() : Results.NotFound());
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
            LogListening(app.Logger, string.Join(", ", app.Urls.Take(Urls(app.Configuration).Length))));
    }

    private static async Task<IResult> RevokeAsync(RevocationRequest request, RevocationFeed feed, TimeProvider clock)
    {
        if (request.Named() is not { } named)
            return Results.Problem("Give 'kid', or 'kid' and 'token_id', or 'client_id', or 'all': true.", statusCode: StatusCodes.Status400BadRequest);
        return await feed.RevokeAsync(named.Name, clock.GetUtcNow() + named.Retention)
            ? Results.NoContent()
            : Results.Problem("It is revoked at this node alone: Redis does not answer. Try again.", statusCode: StatusCodes.Status503ServiceUnavailable);
    }

    /// <summary>
    /// To others these addresses do not exist. A browser on this machine is kept out, too, whatever page it shows: a name that
    /// was rebound to this machine shows in Host, another origin in Origin or Sec-Fetch-Site, and a body must be JSON, which no
    /// page sends elsewhere unasked.
    /// </summary>
    private static async ValueTask<object?> OnlyOperatorsAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        var http = context.HttpContext;
        var settings = http.RequestServices.GetRequiredService<TurnSettings>();
        if (!settings.Management.AllowRemote)
        {
            var isLocal = http.Connection is { LocalIpAddress: { } local, RemoteIpAddress: { } remote } && IPAddress.IsLoopback(local) && IPAddress.IsLoopback(remote);
            if (!isLocal) return Results.NotFound();
            if (!IsLoopbackName(http.Request.Host.Host)) return Refuse("The Host must be localhost or a loopback address.");
        }

        var headers = http.Request.Headers;
        if (headers.ContainsKey("Origin") || headers["Sec-Fetch-Site"].Any(site => site != "none")) return Refuse("This is not for pages.");
        return await next(context);

        static IResult Refuse(string reason) => Results.Problem(reason, statusCode: StatusCodes.Status403Forbidden);
    }

    private static bool IsLoopbackName(string host) =>
        string.Equals(host, "localhost", StringComparison.OrdinalIgnoreCase) || (IPAddress.TryParse(host, out var address) && IPAddress.IsLoopback(address));

    [LoggerMessage(1, LogLevel.Information, "Management listens on {Urls}")]
    private static partial void LogListening(ILogger logger, string urls);
}

/// <summary>What is to be revoked: a key, a token, all tokens that a client has got so far, or all tokens that were issued so far.</summary>
internal sealed record RevocationRequest(string? Kid, string? TokenId, string? ClientId, bool All = false)
{
    /// <summary>Null when the request says nothing, or more than one thing.</summary>
    public (string Name, TimeSpan Retention)? Named()
    {
        if (All) return Kid is null && TokenId is null && ClientId is null ? (TurnRevocations.All, TokenLimits.LongestLifetime) : null;
        if (Kid is { Length: > 0 } kid && ClientId is null)
        {
            if (TokenId is null) return (TurnRevocations.OfKey(kid), TokenLimits.RevokedKeyRetention);
            return (TurnRevocations.OfToken(kid, TokenId), TokenLimits.LongestLifetime);
        }

        return Kid is null && TokenId is null && ClientId is { Length: > 0 } client
            ? (TurnRevocations.OfClient(client), TokenLimits.LongestLifetime)
            : null;
    }
}

/// <summary>An allocation as operators see it: no secret, no user name, and addresses of people only as hashes that tell one from another.</summary>
internal sealed record AllocationView(
    string Id, string? Kid, string? User, string Client, string Transport, IReadOnlyList<string> Relayed, long LifetimeSeconds, DateTimeOffset Since,
    int Permissions, int Channels, long PacketsToPeers, long BytesToPeers, long PacketsToClient, long BytesToClient, long Drops)
{
    public static AllocationView Of(Allocation allocation, AllocationRecord record, EngineTime now) => new(
        record.Id,
        record.Token?.KeyId,
        record.Grant?.Pseudonym is { } user ? TokenCache.Hash(user) : null,
        TokenCache.Hash(allocation.FiveTuple.Client.Address.ToString()),
        allocation.FiveTuple.Transport.ToString().ToLowerInvariant(),
        [.. new[] { allocation.IPv4, allocation.IPv6 }.OfType<Relay>().Select(relay => relay.Advertised.ToString())],
        Math.Max(0, (allocation.ExpiresAt - now.Milliseconds) / 1000),
        record.Since,
        allocation.PermissionCount,
        allocation.ChannelCount,
        allocation.Totals.PacketsToPeers,
        allocation.Totals.BytesToPeers,
        allocation.Totals.PacketsToClient,
        allocation.Totals.BytesToClient,
        Enum.GetValues<DropReason>().Sum(allocation.Totals.Drops));
}
