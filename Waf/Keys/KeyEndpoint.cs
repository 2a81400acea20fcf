using System.Buffers.Text;
using System.Security.Cryptography;
using Microsoft.AspNetCore.WebUtilities;
using WebRtcIms.Contracts;
using WebRtcIms.Stun.OAuth;
using WebRtcIms.Waf.OAuth;
using WebRtcIms.Waf.Rings;
using WebRtcIms.Waf.Tokens;

namespace WebRtcIms.Waf.Keys;

/// <summary>
/// A TURN server fetches the long-term key that it shares with this server (RFC 7635 §4.1.1). TLS must end in this process, and the
/// settings name the TURN server's certificate. The endpoint exists where a TURN server has one.
/// </summary>
internal static partial class KeyEndpoint
{
    public const string Path = LongTermKeys.Path;

    public static void MapKeys(this WebApplication app)
    {
        var servers = app.Services.GetRequiredService<IReadOnlyList<TurnServerSettings>>();
        if (servers.Any(server => server.Thumbprint is not null)) app.MapGet(Path, Send);
    }

    private static IResult Send(
        HttpContext context, IReadOnlyList<TurnServerSettings> servers, KeyRings rings, TimeProvider time,
        ILogger<TurnServerSettings> logger)
    {
        context.Response.Headers.CacheControl = "no-store";
        if (!context.Request.IsHttps) return Refusal(StatusCodes.Status403Forbidden, "Keys are only sent over https.");
        var query = QueryHelpers.ParseQuery(context.Features.Get<HiddenQuery>()?.Text);
        if (query["service"] is not ["stun" or "turn"] || query["name"] is not [{ Length: > 0 } name])
            return Refusal(StatusCodes.Status400BadRequest, "Ask with service=stun and name, each once.");

        // One response for every other caller: it must not show which names there are.
        var server = servers.FirstOrDefault(server => server.Name == name);
        var certificate = context.Connection.ClientCertificate;
        var shown = certificate?.GetCertHash(HashAlgorithmName.SHA256);
        if (server?.Thumbprint is not { } thumbprint || shown is null || !CryptographicOperations.FixedTimeEquals(thumbprint, shown)
            || time.GetUtcNow() < certificate!.NotBefore.ToUniversalTime() || time.GetUtcNow() > certificate.NotAfter.ToUniversalTime())
        {
            LogRefused(logger, shown is null ? "none" : Convert.ToHexString(shown));
            return Refusal(StatusCodes.Status403Forbidden, "The certificate is not that of the TURN server.");
        }

        var keys = Describe(rings.Find(name)!, time.GetUtcNow());
        LogSent(logger, keys.Kid, server.Name);
        return Results.Text(keys.ToJson(), "application/json");
    }

    internal static LongTermKeys Describe(KeyRing ring, DateTimeOffset now)
    {
        var current = Describe(ring.GetCurrent(now));
        return new LongTermKeys(current.K, current.Exp, current.Kid, current.Enc, [.. ring.GetAlive(now).Select(Describe)]);

        LongTermKey Describe(RingKey key) => new(
            Base64Url.EncodeToString(key.Material.Octets), ring.GetExpiry(key, now).ToUnixTimeSeconds(), key.Kid,
            key.Material.Codec.Algorithm.Name());
    }

    private static IResult Refusal(int status, string detail) => Results.Problem(detail, statusCode: status);

    [LoggerMessage(1, LogLevel.Information, "The current key {Kid} and the other keys of its ring were sent to the TURN server {Server}")]
    private static partial void LogSent(ILogger logger, string kid, string server);

    [LoggerMessage(2, LogLevel.Warning, "A key was requested with a certificate that is not that of the TURN server, SHA-256 {Thumbprint}")]
    private static partial void LogRefused(ILogger logger, string thumbprint);
}
