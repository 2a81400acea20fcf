using WebRtcIms.EpCscf.Settings;

namespace WebRtcIms.EpCscf.Registration;

/// <summary>Names subscribers and bindings by hashes under the key of this deployment. The names reveal nothing without the key.</summary>
internal sealed class BindingNames
{
    private readonly byte[] _key;

    public BindingNames(EpCscfSettings settings) =>
        _key = settings.FlowTokenKey is { } key ? Convert.FromBase64String(key) : RandomNumberGenerator.GetBytes(32);

    public string Subscriber(string impi) => BindingId.Part(_key, "impi", impi);

    public string Session(string sessionId) => BindingId.Part(_key, "session", sessionId);

    /// <summary>Instance and reg-id identify a device if given (RFC 5626 §6), otherwise its Contact does.</summary>
    public BindingId Binding(string impi, string contact, string? instance, string? regId) => new(
        Subscriber(impi), instance is null
            ? BindingId.Part(_key, "contact", contact) : BindingId.Part(_key, "instance", $"{instance}\0{regId}"));

    public byte[] Sign(ReadOnlySpan<byte> octets) => HMACSHA256.HashData(_key, octets);
}
