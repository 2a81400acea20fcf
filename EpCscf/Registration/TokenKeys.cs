using System.Buffers.Text;
using WebRtcIms.Contracts;
using WebRtcIms.EpCscf.Settings;
using WebRtcIms.ServiceDefaults.KeyDelivery;

namespace WebRtcIms.EpCscf.Registration;

/// <summary>
/// The keys of registration tokens: those of the settings, and those of the last response of the WAF until they expire. A response has
/// every key that is valid, so a key that the WAF has revoked ends with the next response.
/// </summary>
internal sealed class TokenKeys(EpCscfSettings settings, TimeProvider time) : IKeyHolder
{
    private readonly IReadOnlyList<Entry> _configured = settings.TokenKeys.ConvertAll(key => ToEntry(key, long.MaxValue));
    private volatile IReadOnlyList<Entry> _delivered = [];

    public bool HasKeys => Live.Any();

    // A change from settings to delivery may leave one kid in both. The delivered key counts.
    private IEnumerable<Entry> Live
    {
        get
        {
            var now = time.GetUtcNow().ToUnixTimeSeconds();
            return _delivered.Concat(_configured).Where(entry => entry.Exp > now);
        }
    }

    public RegistrationTokenKey? Find(string kid) => Live.FirstOrDefault(entry => entry.Key.Kid == kid)?.Key;

    public string? Deliver(LongTermKeys response)
    {
        if (DeliveredKeys.TryRead(response, time.GetUtcNow(), key => key, Problem, out var keys) is { } problem) return problem;
        // A request may still use an old key, so it is not disposed here.
        _delivered = keys.ConvertAll(key => ToEntry(ToSettings(key), key.Exp));
        return null;
    }

    private static string? Problem(LongTermKey key)
    {
        if (key.Enc != "A256GCM") return "enc must be A256GCM";
        return Base64Url.IsValid(key.K) ? RegistrationTokenKey.Problem(key.Kid, ToSettings(key).Key) : "k must be base64url";
    }

    private static TokenKeySettings ToSettings(LongTermKey key) =>
        new() { Kid = key.Kid, Key = Convert.ToBase64String(Base64Url.DecodeFromChars(key.K)) };

    private static Entry ToEntry(TokenKeySettings key, long exp) =>
        new(new RegistrationTokenKey(key.Kid, Convert.FromBase64String(key.Key)), exp);

    private sealed record Entry(RegistrationTokenKey Key, long Exp);
}
