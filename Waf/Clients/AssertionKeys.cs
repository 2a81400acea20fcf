using System.Security.Cryptography;
using Microsoft.IdentityModel.Tokens;

namespace WebRtcIms.Waf.Clients;

/// <summary>
/// Chooses the one key that verifies an assertion. Where the client has none for it, or does not exist, the key is one that signs nothing:
/// each assertion then costs one verification, and the response time does not show which clients there are.
/// </summary>
internal sealed class AssertionKeys
{
    // Algorithm, type of the key, curve (RFC 7518 §3.1).
    private static readonly (string Algorithm, string Type, string? Curve)[] Accepted =
    [
        (SecurityAlgorithms.EcdsaSha256, "EC", "P-256"), (SecurityAlgorithms.EcdsaSha384, "EC", "P-384"),
        (SecurityAlgorithms.EcdsaSha512, "EC", "P-521"), (SecurityAlgorithms.RsaSha256, "RSA", null),
        (SecurityAlgorithms.RsaSha384, "RSA", null), (SecurityAlgorithms.RsaSha512, "RSA", null),
        (SecurityAlgorithms.RsaSsaPssSha256, "RSA", null), (SecurityAlgorithms.RsaSsaPssSha384, "RSA", null),
        (SecurityAlgorithms.RsaSsaPssSha512, "RSA", null),
    ];

    private readonly JsonWebKey[] _decoys =
        [Create(ECCurve.NamedCurves.nistP256), Create(ECCurve.NamedCurves.nistP384), Create(ECCurve.NamedCurves.nistP521), CreateRsa()];

    /// <summary>The algorithms of assertions, for the metadata.</summary>
    public static IReadOnlyList<string> Algorithms { get; } = [.. Accepted.Select(each => each.Algorithm)];

    /// <summary>Null when the algorithm is not accepted. Of several keys that fit, the assertion must name one.</summary>
    /// <param name="registered">The keys of the client; null when there are none.</param>
    /// <param name="algorithm">The header <c>alg</c>.</param>
    /// <param name="keyId">The header <c>kid</c>.</param>
    public SecurityKey? Choose(JsonWebKeySet? registered, string algorithm, string? keyId)
    {
        if (Array.Find(Accepted, each => each.Algorithm == algorithm) is not (_, { } type, var curve)) return null;
        var fitting = (registered?.Keys ?? [])
            .Where(key => Fits(key, type, curve) && (string.IsNullOrEmpty(key.Alg) || key.Alg == algorithm)).ToList();
        if (fitting.Count > 1) fitting = fitting.FindAll(key => !string.IsNullOrEmpty(keyId) && key.Kid == keyId);
        return fitting is [{ } one] ? one : _decoys.First(key => Fits(key, type, curve));
    }

    private static bool Fits(JsonWebKey key, string type, string? curve) => key.Kty == type && (curve is null || key.Crv == curve);

    private static JsonWebKey Create(ECCurve curve)
    {
        using var key = ECDsa.Create(curve);
        return JsonWebKeyConverter.ConvertFromECDsaSecurityKey(new ECDsaSecurityKey(ECDsa.Create(key.ExportParameters(false))));
    }

    private static JsonWebKey CreateRsa()
    {
        using var key = RSA.Create(2048);
        return JsonWebKeyConverter.ConvertFromRSASecurityKey(new RsaSecurityKey(key.ExportParameters(false)));
    }
}
