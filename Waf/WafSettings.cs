using WebRtcIms.Stun.OAuth;

namespace WebRtcIms.Waf;

/// <summary>The section <c>Waf</c> of the configuration.</summary>
internal sealed class WafSettings
{
    public List<TurnServerSettings> TurnServers { get; set; } = [];

    public List<ClientSettings> Clients { get; set; } = [];

    /// <summary>Whether GET /oauth2/token is served with client_id and client_password, as TS 33.203 X.5.3.2 step 4 has it.</summary>
    public bool AllowGetTokenRequests { get; set; } = true;

    /// <summary>Every mistake, each with its key. Never says what a key or a secret is.</summary>
    public IEnumerable<string> Validate()
    {
        if (TurnServers.Count == 0) yield return "Waf:TurnServers is empty: give at least Waf:TurnServers:0:Name, :Kid and :Key";
        for (var i = 0; i < TurnServers.Count; i++)
        {
            foreach (var problem in TurnServers[i].Problems()) yield return $"Waf:TurnServers:{i}:{problem}";
        }

        foreach (var name in TurnServers.GroupBy(server => server.Name).Where(group => group.Count() > 1))
            yield return $"Waf:TurnServers has the Name '{name.Key}' twice";
        if (Clients.Count == 0) yield return "Waf:Clients is empty: give at least Waf:Clients:0:ClientId, :ClientSecret and :Audiences:0";
        for (var i = 0; i < Clients.Count; i++)
        {
            if (Clients[i].ClientId.Length == 0) yield return $"Waf:Clients:{i}:ClientId is missing";
            if (Clients[i].ClientSecret.Length < 16) yield return $"Waf:Clients:{i}:ClientSecret must have 16 characters or more";
            if (Clients[i].Audiences.Count == 0) yield return $"Waf:Clients:{i}:Audiences is empty: name the TURN servers that this client may get tokens for";
            foreach (var audience in Clients[i].Audiences.Where(audience => TurnServers.TrueForAll(server => server.Name != audience)))
                yield return $"Waf:Clients:{i}:Audiences names '{audience}', which is not among Waf:TurnServers";
        }
    }
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

    public TimeSpan TokenLifetime { get; set; } = TimeSpan.FromMinutes(10);

    public IEnumerable<string> Problems()
    {
        if (Name.Length is 0 or > 255) yield return "Name must have 1 to 255 characters";
        if (Kid.Length is 0 or > 128 || Kid.Contains('~', StringComparison.Ordinal)) yield return "Kid must have 1 to 128 characters and no '~'";
        if (TokenLifetime < TimeSpan.FromSeconds(30) || TokenLifetime > TimeSpan.FromHours(24)) yield return "TokenLifetime must be from 00:00:30 to 24:00:00";
        if (!AccessTokenAlgorithms.TryParse(Algorithm, out var algorithm)) yield return "Algorithm must be A256GCM or A128GCM";
        else if (!Convert.TryFromBase64String(Key, new byte[Key.Length], out var length)) yield return "Key must be base64";
        else if (length < algorithm.KeyLength()) yield return $"Key must have {algorithm.KeyLength()} octets or more for {Algorithm}";
    }
}

/// <summary>An OAuth client, provisioned into the store at start. The store keeps a hash of the secret alone.</summary>
internal sealed class ClientSettings
{
    public string ClientId { get; set; } = "";

    public string ClientSecret { get; set; } = "";

    public List<string> Audiences { get; set; } = [];
}
