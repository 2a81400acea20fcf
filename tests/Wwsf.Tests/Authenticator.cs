using System.Buffers.Binary;
using System.Buffers.Text;
using System.Formats.Cbor;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace WebRtcIms.Wwsf.Tests;

/// <summary>
/// A software authenticator with one passkey, and the browser around it (W3C Web Authentication): ES256, attestation "none", user verified.
/// </summary>
/// <param name="origin">The origin of the page in the browser.</param>
internal sealed class Authenticator(string origin = Authenticator.LocalOrigin) : IDisposable
{
    public const string LocalOrigin = "http://localhost";
    public const byte UserPresent = 0x01;
    public const byte UserVerified = 0x04;

    private const byte HasAttestedCredential = 0x40;

    private readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly byte[] _id = RandomNumberGenerator.GetBytes(16);
    private string? _userHandle;

    /// <summary>The signature counter of the last signature. A clone of the authenticator would not know it.</summary>
    public uint Counter { get; set; }

    /// <summary>What a faulty or hostile browser or authenticator says instead.</summary>
    public Fault Fault { get; set; } = new();

    /// <summary>Asks for options and registers the passkey with the response; returns what the WWSF says.</summary>
    public async Task<Answer> AddToAsync(Page page) =>
        await SendAsync(page, "/api/passkeys", Create(await OptionsAsync(page, "/api/passkeys/options")));

    /// <summary>Asks for options and logs in with the response; returns what the WWSF says.</summary>
    public async Task<Answer> LogInAsync(Page page) =>
        await SendAsync(page, "/api/session/passkey", Get(await OptionsAsync(page, "/api/session/passkey/options")));

    public static async Task<JsonElement> OptionsAsync(Page page, string path) => (await page.SendAsync(HttpMethod.Post, path)).Json;

    public Task<Answer> SendAsync(Page page, string path, object credential) =>
        page.SendAsync(HttpMethod.Post, path, credential, ("Origin", origin));

    /// <summary><c>navigator.credentials.create</c>.</summary>
    public object Create(JsonElement options)
    {
        _userHandle = options.GetProperty("user").GetProperty("id").GetString();
        var cbor = new CborWriter(CborConformanceMode.Ctap2Canonical);
        cbor.WriteStartMap(3);
        cbor.WriteTextString("fmt");
        cbor.WriteTextString("none");
        cbor.WriteTextString("attStmt");
        cbor.WriteStartMap(0);
        cbor.WriteEndMap();
        cbor.WriteTextString("authData");
        cbor.WriteByteString(AuthenticatorData(options.GetProperty("rp").GetProperty("id").GetString()!, AttestedCredential()));
        cbor.WriteEndMap();
        return Credential(new
        {
            clientDataJSON = Base64Url.EncodeToString(ClientData("webauthn.create", options)),
            attestationObject = Base64Url.EncodeToString(cbor.Encode()),
            transports = Array.Empty<string>(),
        });
    }

    /// <summary><c>navigator.credentials.get</c>.</summary>
    public object Get(JsonElement options)
    {
        Counter++;
        var clientData = ClientData("webauthn.get", options);
        var data = AuthenticatorData(options.GetProperty("rpId").GetString()!, []);
        return Credential(new
        {
            clientDataJSON = Base64Url.EncodeToString(clientData),
            authenticatorData = Base64Url.EncodeToString(data),
            signature = Base64Url.EncodeToString(
                _key.SignData([.. data, .. SHA256.HashData(clientData)], HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence)),
            userHandle = _userHandle,
        });
    }

    public void Dispose() => _key.Dispose();

    private object Credential(object response)
    {
        var id = Base64Url.EncodeToString(_id);
        return new { id, rawId = id, type = "public-key", clientExtensionResults = new { }, response };
    }

    private byte[] ClientData(string type, JsonElement options)
    {
        var clientData = new Dictionary<string, object?>
        {
            ["type"] = Fault.Type ?? type,
            ["challenge"] = Fault.Challenge ?? options.GetProperty("challenge").GetString(),
            ["origin"] = Fault.Origin ?? origin,
            ["crossOrigin"] = Fault.CrossOrigin,
        };
        if (Fault.TopOrigin is { } top) clientData["topOrigin"] = top;
        return JsonSerializer.SerializeToUtf8Bytes(clientData);
    }

    private byte[] AuthenticatorData(string rpId, byte[] credential)
    {
        var counter = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(counter, Counter);
        var flags = (byte)(Fault.Flags | (credential.Length > 0 ? HasAttestedCredential : 0));
        return [.. SHA256.HashData(Encoding.UTF8.GetBytes(Fault.RpId ?? rpId)), flags, .. counter, .. credential];
    }

    // AAGUID, length of the id, id, COSE key.
    private byte[] AttestedCredential()
    {
        var point = _key.ExportParameters(includePrivateParameters: false).Q;
        var cose = new CborWriter(CborConformanceMode.Ctap2Canonical);
        cose.WriteStartMap(5);
        foreach (var (label, value) in ((int, int)[])[(1, 2), (3, -7), (-1, 1)])
        {
            cose.WriteInt32(label);
            cose.WriteInt32(value);
        }
        foreach (var (label, value) in ((int, byte[])[])[(-2, point.X!), (-3, point.Y!)])
        {
            cose.WriteInt32(label);
            cose.WriteByteString(value);
        }
        cose.WriteEndMap();
        return [.. new byte[16], 0, (byte)_id.Length, .. _id, .. cose.Encode()];
    }
}

/// <summary>Replaces parts of a response. The defaults change nothing.</summary>
internal sealed record Fault(
    string? Type = null, string? Challenge = null, string? Origin = null, bool CrossOrigin = false, string? TopOrigin = null,
    string? RpId = null, byte Flags = Authenticator.UserPresent | Authenticator.UserVerified);
