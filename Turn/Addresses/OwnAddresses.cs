using System.Net;
using StackExchange.Redis;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Settings;

namespace WebRtcIms.Turn.Addresses;

/// <summary>
/// Where this server listens and what it talks to, which no client may be relayed to: the TURN and management ports, Redis, the
/// collectors of telemetry and the WAF, in every form that .NET reads. Names follow their addresses.
/// </summary>
internal sealed class OwnAddresses
{
    private static readonly string[] Collectors =
    [
        "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
        "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "FlowView:Endpoint",
    ];

    private readonly HashSet<(string Host, int Port)> _hosts = [];

    // Ports at every address of this machine.
    private readonly HashSet<int> _everywhere = [];
    private readonly TurnSettings _settings;
    private readonly HostNames _names;
    private readonly Func<IEnumerable<EndPoint>> _redisNodes;

    /// <param name="settings">The settings of TURN.</param>
    /// <param name="configuration">All settings.</param>
    /// <param name="names">Looks names up.</param>
    /// <param name="redisNodes">The nodes of Redis that its client has found: those of a cluster are not in the settings.</param>
    public OwnAddresses(
        TurnSettings settings, IConfiguration configuration, HostNames names, Func<IEnumerable<EndPoint>>? redisNodes = null)
    {
        (_settings, _names, _redisNodes) = (settings, names, redisNodes ?? (() => []));
        foreach (var url in ManagementSettings.AllUrls(configuration)) AddListener(url);
        foreach (var collector in Collectors) Add(configuration[collector]);
        Add(settings.KeyDelivery?.Address);
        if (configuration.GetConnectionString("redis") is { } redis && !string.IsNullOrWhiteSpace(redis))
            AddRedis(ConfigurationOptions.Parse(redis).EndPoints);

        // From now on the names are looked up.
        foreach (var (host, _) in _hosts) _names.AddressesOf(host);
    }

    /// <param name="turn">The addresses of the TURN ports: where they are bound and their public ones.</param>
    public HashSet<TransportAddress> Read(IEnumerable<IPAddress> turn)
    {
        AddRedis(_redisNodes());
        HashSet<TransportAddress> own = [];
        foreach (var address in turn)
        {
            Add(address, _settings.Port);
            if (_settings.TlsCertificate is not null) Add(address, _settings.TlsPort);
        }

        foreach (var (host, port) in _hosts)
        {
            var addresses = _names.AddressesOf(host);
            foreach (var address in addresses) Add(address, port);

            // A service that is reached by loopback may listen at the other addresses also.
            if (addresses.Any(IPAddress.IsLoopback)) AddEverywhere(port);
        }

        foreach (var port in _everywhere) AddEverywhere(port);
        return own;

        void AddEverywhere(int port)
        {
            Add(IPAddress.Any, port);
            Add(IPAddress.IPv6Any, port);
        }

        void Add(IPAddress address, int port) => own.Add(TransportAddress.From(new IPEndPoint(address, port)));
    }

    // As Kestrel reads it: any host that is neither localhost nor an address stands for all addresses.
    private void AddListener(string url)
    {
        BindingAddress address;
        try
        {
            address = BindingAddress.Parse(url);
        }
        catch (FormatException)
        {
            // Nothing listens there.
            return;
        }

        if (address.IsUnixPipe || address.IsNamedPipe) return;
        var isOne = string.Equals(address.Host, "localhost", StringComparison.OrdinalIgnoreCase) || IPAddress.TryParse(address.Host, out _);
        Add(isOne ? address.Host : "*", address.Port);
    }

    private void Add(string? url)
    {
        if (string.IsNullOrWhiteSpace(url)) return;
        if (Uri.TryCreate(url, UriKind.Absolute, out var uri)) Add(uri.IdnHost, uri.Port);
    }

    private void AddRedis(IEnumerable<EndPoint> endpoints)
    {
        foreach (var endpoint in endpoints)
        {
            if (endpoint is IPEndPoint ip) Add(ip.Address.ToString(), ip.Port);
            if (endpoint is DnsEndPoint dns) Add(dns.Host, dns.Port);
        }
    }

    private void Add(string host, int port)
    {
        if (port is < 1 or > ushort.MaxValue) return;
        host = host.Trim('[', ']');
        if (host is "*" or "+" || (IPAddress.TryParse(host, out var address) && IsWildcard(address))) _everywhere.Add(port);
        else _hosts.Add((host, port));
    }

    private static bool IsWildcard(IPAddress address) => address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any);
}
