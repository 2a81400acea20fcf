using System.Buffers;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.IdentityModel.Tokens;
using WebRtcIms.Contracts;
using WebRtcIms.Stores;
using WebRtcIms.Stun.OAuth;
using WebRtcIms.Waf.ImsRegistration;

namespace WebRtcIms.Waf;

/// <summary>
/// The section <c>Waf</c> of the configuration, and <c>ConnectionStrings:waf</c>. Values are text until they are validated:
/// the binder stops at the first that it cannot convert.
/// </summary>
internal sealed class WafSettings
{
    public List<TurnServerSettings> TurnServers { get; set; } = [];

    public List<ClientSettings> Clients { get; set; } = [];

    public RegistrationSettings? ImsRegistration { get; set; }

    /// <summary>
    /// What this server calls itself in its metadata, and the audience of client assertions; by default its address in each request. Clients
    /// with keys need it, for who sends a request chooses that address, and could bring what was signed for another server.
    /// </summary>
    public string? Issuer { get; set; }

    /// <summary>Whether GET /oauth2/token is served with client_id and client_password, as TS 33.203 X.5.3.2 step 4 has it.</summary>
    public string AllowGetTokenRequests { get; set; } = "true";

    public bool AllowsGet => bool.TryParse(AllowGetTokenRequests, out var allowed) && allowed;

    /// <summary>
    /// Requests for tokens and keys that one address may make in a minute. A WWSF asks once for each call, so it is what its busiest
    /// minute has on one of its hosts.
    /// </summary>
    public string TokenRequestsPerMinute { get; set; } = "1200";

    public int RequestsPerMinute => int.TryParse(TokenRequestsPerMinute, CultureInfo.InvariantCulture, out var requests) ? requests : 0;

    /// <summary>Null when <c>ConnectionStrings:waf</c> is not understood.</summary>
    public StoreSettings? Store { get; set; }

    /// <summary>Every mistake, each with its key. Never says what a key or a secret is.</summary>
    public IEnumerable<string> Validate()
    {
        if (TurnServers.Count == 0) yield return "Waf:TurnServers is empty: give at least Waf:TurnServers:0:Name, :Kid and :Key";
        for (var i = 0; i < TurnServers.Count; i++)
        {
            foreach (var problem in TurnServers[i].Problems()) yield return $"Waf:TurnServers:{i}:{problem}";
        }

        foreach (var name in Twice(TurnServers.Select(server => server.Name))) yield return $"Waf:TurnServers has the Name '{name}' twice";
        if (Clients.Count == 0) yield return "Waf:Clients is empty: give at least Waf:Clients:0:ClientId, :ClientSecret and :Audiences:0";
        for (var i = 0; i < Clients.Count; i++)
        {
            foreach (var problem in Clients[i].Problems(TurnServers)) yield return $"Waf:Clients:{i}:{problem}";
        }

        foreach (var problem in ImsRegistration?.Problems(TurnServers) ?? []) yield return $"Waf:ImsRegistration:{problem}";
        foreach (var id in Twice(Clients.Select(client => client.ClientId))) yield return $"Waf:Clients has the ClientId '{id}' twice";
        if (Issuer is not null && !(Uri.TryCreate(Issuer, UriKind.Absolute, out var issuer) && issuer is { Scheme: "https" or "http", Query: "", Fragment: "" }))
            yield return "Waf:Issuer must be an address such as https://waf.example.org/";
        if (Issuer is null && Clients.Exists(client => client.Jwks is not null)) yield return "Waf:Issuer is missing: clients with Jwks sign for it";
        if (!bool.TryParse(AllowGetTokenRequests, out _)) yield return "Waf:AllowGetTokenRequests must be true or false";
        if (RequestsPerMinute < 1) yield return "Waf:TokenRequestsPerMinute must be a number from 1";
        if (Store is null) yield return $"ConnectionStrings:waf {StoreSettings.Problem("waf")}";
    }

    private static IEnumerable<string> Twice(IEnumerable<string> names) =>
        names.Where(name => name.Length > 0).GroupBy(name => name).Where(group => group.Count() > 1).Select(group => group.Key);
}

/// <summary>A TURN server that tokens are made for: the audience, and the long-term key shared with it (RFC 7635 §4.1).</summary>
internal sealed class TurnServerSettings
{
    /// <summary>What the server says in THIRD-PARTY-AUTHORIZATION.</summary>
    public string Name { get; set; } = "";

    public string Kid { get; set; } = "";

    /// <summary>K in base64.</summary>
    public string Key { get; set; } = "";

    public string Algorithm { get; set; } = "A256GCM";

    public string TokenLifetime { get; set; } = "00:10:00";

    /// <summary>
    /// SHA-256 of the certificate, in hexadecimal, with which the TURN server may fetch its key (RFC 7635 §4.1.1); without it nobody may.
    /// </summary>
    public string? CertificateSha256 { get; set; }

    public TimeSpan Lifetime => TimeSpan.TryParse(TokenLifetime, CultureInfo.InvariantCulture, out var lifetime) ? lifetime : default;

    /// <summary>The 32 octets of <see cref="CertificateSha256"/>; null when there are none. Colons between them, as openssl writes them, are taken.</summary>
    public byte[]? Thumbprint
    {
        get
        {
            var octets = new byte[SHA256.HashSizeInBytes];
            var status = Convert.FromHexString((CertificateSha256 ?? "").Replace(":", "", StringComparison.Ordinal), octets, out _, out var written);
            return status == OperationStatus.Done && written == octets.Length ? octets : null;
        }
    }

    public IEnumerable<string> Problems()
    {
        if (Encoding.UTF8.GetByteCount(Name) is 0 or > 255) yield return "Name must have 1 to 255 octets";
        if (Encoding.UTF8.GetByteCount(Kid) is 0 or > 128 || Kid.Contains('~', StringComparison.Ordinal)) yield return "Kid must have 1 to 128 octets and no '~'";
        if (Lifetime < TokenLimits.ShortestLifetime || Lifetime > TokenLimits.LongestLifetime) yield return "TokenLifetime must be a time from 00:00:30 to 1.00:00:00";
        if (!AccessTokenAlgorithms.TryParse(Algorithm, out var algorithm)) yield return "Algorithm must be A256GCM or A128GCM";
        else if (!Convert.TryFromBase64String(Key, new byte[Key.Length], out var length)) yield return "Key must be base64";
        else if (length < algorithm.KeyLength()) yield return $"Key must have {algorithm.KeyLength()} octets or more for {Algorithm}";
        if (CertificateSha256 is not null && Thumbprint is null) yield return "CertificateSha256 must be 64 hexadecimal digits";
    }
}

/// <summary>An OAuth client, provisioned into the store at start. The store keeps a hash of the secret alone.</summary>
internal sealed class ClientSettings
{
    public const int MaxClientIdLength = 100;

    public string ClientId { get; set; } = "";

    public string ClientSecret { get; set; } = "";

    /// <summary>In place of a secret: its public keys as a JWK Set (RFC 7517 §5), with which it signs assertions (private_key_jwt, RFC 7523 §2.2).</summary>
    public string? Jwks { get; set; }

    public List<string> Audiences { get; set; } = [];

    /// <summary>Identities that it may get registration tokens for; see <see cref="IdentityBlock"/>.</summary>
    public List<string> Impus { get; set; } = [];

    public IEnumerable<string> Problems(List<TurnServerSettings> turnServers)
    {
        if (ClientId.Length is 0 or > MaxClientIdLength) yield return $"ClientId must have 1 to {MaxClientIdLength} characters";
        if (Jwks is not null && ClientSecret.Length > 0) yield return "Jwks and ClientSecret exclude each other";
        else if (Jwks is not null && PublicKeys(Jwks) is null) yield return "Jwks must be a JWK Set of public keys, EC or RSA, such as {\"keys\":[{\"kty\":\"EC\",…}]}";
        else if (Jwks is null && ClientSecret.Length < 16) yield return "ClientSecret must have 16 characters or more";
        if (Audiences.Count == 0) yield return "Audiences is empty: name the TURN servers that this client may get tokens for";
        foreach (var audience in Audiences.Where(audience => turnServers.TrueForAll(server => server.Name != audience)))
            yield return $"Audiences names '{audience}', which is not among Waf:TurnServers";
        foreach (var impu in Impus.Where(impu => !IdentityBlock.IsPattern(impu))) yield return $"Impus has '{impu}', which is none such as sip:guest-*@example.org";
    }

    /// <summary>Null when the text is no set of public keys that verify signatures.</summary>
    public static JsonWebKeySet? PublicKeys(string jwks)
    {
        try
        {
            var set = new JsonWebKeySet(jwks);
            return set.Keys.Count > 0 && set.Keys.All(key => key is { Kty: "EC" or "RSA", HasPrivateKey: false } && key.Use is null or "sig") ? set : null;
        }
        catch (ArgumentException)
        {
            return null;
        }
    }
}
