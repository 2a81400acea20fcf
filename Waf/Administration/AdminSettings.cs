using System.Security.Cryptography;
using System.Text;
using WebRtcIms.ServiceDefaults;

namespace WebRtcIms.Waf.Administration;

/// <summary>The section <c>Waf:Admin</c>: the port for operators. Without <see cref="Url"/> there is none.</summary>
internal sealed class AdminSettings
{
    /// <summary>Where administration listens, such as <c>http://localhost:8085</c>. The port must be its own.</summary>
    public string? Url { get; set; }

    /// <summary>Operators with a bearer token. Without one, administration is only for this machine.</summary>
    public List<OperatorSettings> Operators { get; set; } = [];

    /// <summary>Null when administration is off.</summary>
    public int? Port => Parse(Url)?.Port;

    /// <param name="configuration">The whole configuration.</param>
    /// <param name="isEncryptedElsewhere">Whether peers on other machines may be without TLS.</param>
    public IEnumerable<string> Problems(IConfiguration configuration, bool isEncryptedElsewhere)
    {
        foreach (var (index, name) in Operators.Select(known => known.Name).Index())
        {
            foreach (var problem in Operators[index].Problems()) yield return $"Waf:Admin:Operators:{index}:{problem}";
            if (name.Length > 0 && Operators.FindIndex(known => known.Name == name) < index)
                yield return $"Waf:Admin:Operators has the Name '{name}' twice";
        }

        if (string.IsNullOrEmpty(Url)) yield break;
        if (Parse(Url) is not { } address)
        {
            yield return "Waf:Admin:Url must be an address with a port, such as http://localhost:8085";
            yield break;
        }

        if (PublicUrls(configuration).Any(url => Parse(url)?.Port == address.Port))
            yield return $"Waf:Admin:Url has the port {address.Port} of the public addresses: administration must have its own";
        if (configuration.GetSection("Kestrel:Endpoints").GetChildren().Any())
            yield return "Waf:Admin:Url cannot be used with Kestrel:Endpoints: give the public addresses in ASPNETCORE_URLS";
        if (Operators.Count == 0 && !LocalCaller.IsLoopbackName(address.Host))
            yield return "Waf:Admin:Url listens for other machines: give them tokens with Waf:Admin:Operators:0:Name and :Token";
        else if (!isEncryptedElsewhere && address.Scheme == Uri.UriSchemeHttp && !LocalCaller.IsLoopbackName(address.Host))
            yield return $"Waf:Admin:Url {TransportEncryption.Problem("give an https address")}";
    }

    /// <summary>All addresses to listen on: those that the service has without administration, and its own.</summary>
    public string ListenUrls(IConfiguration configuration) => string.Join(';', PublicUrls(configuration).Append(Url));

    /// <summary>The name of the operator with this token; null if there is none.</summary>
    public string? FindOperator(string token)
    {
        string? name = null;
        // Each is compared, so that the time does not show which one is nearest.
        foreach (var known in Operators)
        {
            if (known.Has(token)) name = known.Name;
        }

        return name;
    }

    private static string[] PublicUrls(IConfiguration configuration)
    {
        if (configuration[WebHostDefaults.ServerUrlsKey] is { Length: > 0 } urls) return Split(urls);
        string[] ofPorts =
        [
            .. Split(configuration[WebHostDefaults.HttpPortsKey]).Select(port => $"http://*:{port}"),
            .. Split(configuration[WebHostDefaults.HttpsPortsKey]).Select(port => $"https://*:{port}"),
        ];
        return ofPorts.Length > 0 ? ofPorts : ["http://localhost:5000"];
    }

    private static string[] Split(string? text) =>
        (text ?? "").Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    private static BindingAddress? Parse(string? url) => ListenAddresses.Parse(url) is { Port: > 0 } address ? address : null;
}

/// <summary>A person or a machine that administers the WAF.</summary>
internal sealed class OperatorSettings
{
    private const int MaxNameLength = 100;
    private const int MinTokenLength = 32;

    /// <summary>The audit names the operator by it.</summary>
    public string Name { get; set; } = "";

    public Redacted<string> Token { get; set; } = new("");

    public IEnumerable<string> Problems()
    {
        if (Name.Length is 0 or > MaxNameLength) yield return $"Name must have 1 to {MaxNameLength} characters";
        if (Token.Reveal().Length < MinTokenLength) yield return $"Token must have {MinTokenLength} characters or more";
    }

    public bool Has(string token) => CryptographicOperations.FixedTimeEquals(Hash(token), Hash(Token.Reveal()));

    private static byte[] Hash(string text) => SHA256.HashData(Encoding.UTF8.GetBytes(text));
}
