using System.Buffers.Binary;
using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text.Json;

namespace WebRtcIms.Abuse.Frame;

/// <summary>An authenticator with one key for each relying party, which signs whatever it is asked to, and for any origin.</summary>
internal sealed class Authenticator : IDisposable
{
    private const byte UserPresentAndVerified = 0x05;
    private const byte HasCredential = 0x40;

    private readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly byte[] _id = RandomNumberGenerator.GetBytes(16);
    private string? _userHandle;

    /// <summary>Registers the key, with attestation "none".</summary>
    public object Create(JsonElement options, string party, string origin)
    {
        _userHandle = options.GetProperty("user").GetProperty("id").GetString();
        var point = _key.ExportParameters(includePrivateParameters: false).Q;
        // A COSE key: EC2, ES256, P-256, x and y.
        byte[] key = [0xA5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 32, .. point.X!, 0x22, 0x58, 32, .. point.Y!];
        byte[] credential = [.. new byte[16], 0, (byte)_id.Length, .. _id, .. key];
        var data = Data(party, UserPresentAndVerified | HasCredential, credential);
        byte[] attestation =
            [0xA3, .. Text("fmt"), .. Text("none"), .. Text("attStmt"), 0xA0, .. Text("authData"), 0x58, (byte)data.Length, .. data];
        return Credential(new
        {
            clientDataJSON = Base64Url.EncodeToString(ClientData("webauthn.create", options, origin)),
            attestationObject = Base64Url.EncodeToString(attestation),
            transports = Array.Empty<string>(),
        });
    }

    /// <summary>Signs a challenge.</summary>
    public object Get(JsonElement options, string party, string origin)
    {
        var clientData = ClientData("webauthn.get", options, origin);
        var data = Data(party, UserPresentAndVerified, []);
        var signature = _key.SignData(
            [.. data, .. SHA256.HashData(clientData)], HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);
        return Credential(new
        {
            clientDataJSON = Base64Url.EncodeToString(clientData),
            authenticatorData = Base64Url.EncodeToString(data),
            signature = Base64Url.EncodeToString(signature),
            userHandle = _userHandle,
        });
    }

    public void Dispose() => _key.Dispose();

    private object Credential(object response)
    {
        var id = Base64Url.EncodeToString(_id);
        return new { id, rawId = id, type = "public-key", clientExtensionResults = new { }, response };
    }

    private static byte[] ClientData(string type, JsonElement options, string origin)
    {
        var challenge = options.GetProperty("challenge").GetString();
        return JsonSerializer.SerializeToUtf8Bytes(new { type, challenge, origin, crossOrigin = false });
    }

    // The counter stays 0, as that of most passkeys.
    private static byte[] Data(string party, int flags, byte[] credential)
    {
        var counter = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(counter, 0);
        return [.. SHA256.HashData(Encoding.UTF8.GetBytes(party)), (byte)flags, .. counter, .. credential];
    }

    // A short text in CBOR.
    private static byte[] Text(string text) => [(byte)(0x60 | text.Length), .. Encoding.ASCII.GetBytes(text)];
}
