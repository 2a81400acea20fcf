using System.Buffers.Text;
using System.Security.Cryptography;
using Microsoft.AspNetCore.WebUtilities;
using WebRtcIms.Contracts;
using WebRtcIms.Stun.OAuth;
using WebRtcIms.Waf.OAuth;
using WebRtcIms.Waf.Rings;

namespace WebRtcIms.Waf.Keys;

/// <summary>
/// A TURN server fetches the long-term keys that it shares with this server (RFC 7635 §4.1.1), and the eP-CSCF those of registration
/// tokens. TLS must end in this process, and the settings name the certificate. The endpoint exists where a server has one.
/// </summary>
internal static partial class KeyEndpoint
{
    public const string Path = LongTermKeys.Path;

    public static void MapKeys(this WebApplication app)
    {
        var rings = app.Services.GetRequiredService<KeyRings>();
        if (rings.All.Any(ring => ring.Settings.Thumbprint is not null)) app.MapGet(Path, Send);
    }

    private static IResult Send(HttpContext context, KeyRings rings, TimeProvider time, ILogger<KeyRings> logger)
    {
        context.Response.Headers.CacheControl = "no-store";
        if (!context.Request.IsHttps) return Refusal(StatusCodes.Status403Forbidden, "Keys are only sent over https.");
        var query = QueryHelpers.ParseQuery(context.Features.Get<HiddenQuery>()?.Text);
        if (query["service"] is not ["stun" or "turn" or "ims"] || query["name"] is not [{ Length: > 0 } name])
            return Refusal(StatusCodes.Status400BadRequest, "Ask with service=stun and name, each once.");

        // One response for every other caller: it must not show which names there are.
        var ring = query["service"] == "ims" ? rings.FindIms(name) : rings.Find(name);
        var certificate = context.Connection.ClientCertificate;
        var shown = certificate?.GetCertHash(HashAlgorithmName.SHA256);
        if (ring?.Settings.Thumbprint is not { } thumbprint || shown is null || !CryptographicOperations.FixedTimeEquals(thumbprint, shown)
            || time.GetUtcNow() < certificate!.NotBefore.ToUniversalTime() || time.GetUtcNow() > certificate.NotAfter.ToUniversalTime())
        {
            LogRefused(logger, shown is null ? "none" : Convert.ToHexString(shown));
            return Refusal(StatusCodes.Status403Forbidden, "The certificate is not that of the server with this name.");
        }

        var keys = Describe(ring, time.GetUtcNow());
        LogSent(logger, keys.Kid, ring.Settings.Ring);
        return Results.Text(keys.ToJson(), "application/json");
    }

    internal static LongTermKeys Describe(KeyRing ring, DateTimeOffset now)
    {
        var current = Describe(ring.GetCurrent(now));
        return new LongTermKeys(current.K, current.Exp, current.Kid, current.Enc, [.. ring.GetAlive(now).Select(Describe)]);

        LongTermKey Describe(RingKey key) => new(
            Base64Url.EncodeToString(key.Material.Octets), ring.GetExpiry(key, now).ToUnixTimeSeconds(), key.Kid,
            key.Material.Algorithm.Name());
    }

    private static IResult Refusal(int status, string detail) => Results.Problem(detail, statusCode: status);

    [LoggerMessage(1, LogLevel.Debug, "The current key {Kid} and the other keys of {Ring} were sent")]
    private static partial void LogSent(ILogger logger, string kid, string ring);

    [LoggerMessage(2, LogLevel.Warning, "Keys were requested with a certificate that is not that of the server, SHA-256 {Thumbprint}")]
    private static partial void LogRefused(ILogger logger, string thumbprint);
}
