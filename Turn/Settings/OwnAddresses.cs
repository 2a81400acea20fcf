using System.Net;
using System.Net.Sockets;
using WebRtcIms.ServiceDefaults;
using WebRtcIms.Stun.Messages;

namespace WebRtcIms.Turn.Settings;

/// <summary>
/// Where this server listens and what it talks to, which no client may be relayed to: the TURN and management ports, Redis, and
/// the collectors of telemetry. Names are looked up once, at start.
/// </summary>
internal static class OwnAddresses
{
    public static HashSet<TransportAddress> Read(TurnSettings settings, IConfiguration configuration)
    {
        HashSet<TransportAddress> own = [];
        AddressFamily[] families = [AddressFamily.InterNetwork, AddressFamily.InterNetworkV6];
        foreach (var address in settings.ListenAddresses().Concat(families.Select(settings.AdvertisedAddress).OfType<IPAddress>()))
        {
            Add(own, address, settings.Port);
            if (settings.TlsCertificate is not null) Add(own, address, settings.TlsPort);
        }

        foreach (var url in ManagementSettings.Urls(configuration)) Add(own, url);
        Add(own, configuration["OTEL_EXPORTER_OTLP_ENDPOINT"]);
        Add(own, configuration["FlowView:Endpoint"]);
        foreach (var endpoint in RedisAddress.Read(configuration)?.EndPoints ?? []) Add(own, endpoint);

        return own;
    }

    private static void Add(HashSet<TransportAddress> own, string? url)
    {
        if (string.IsNullOrEmpty(url)) return;
        if (Uri.TryCreate(url, UriKind.Absolute, out var uri)) Add(own, new DnsEndPoint(uri.Host, uri.Port));
        else if (url.Contains("://*", StringComparison.Ordinal) || url.Contains("://+", StringComparison.Ordinal))
            AddAny(own, BindingAddress.Parse(url).Port);
    }

    private static void Add(HashSet<TransportAddress> own, EndPoint endpoint)
    {
        if (endpoint is IPEndPoint ip) Add(own, ip.Address, ip.Port);
        if (endpoint is not DnsEndPoint dns) return;
        if (dns.Host is "0.0.0.0" or "[::]" or "::") AddAny(own, dns.Port);
        try
        {
            foreach (var address in Dns.GetHostAddresses(dns.Host)) Add(own, address, dns.Port);
        }
        catch (SocketException)
        {
            // An unknown host cannot be relayed to either.
        }
    }

    private static void AddAny(HashSet<TransportAddress> own, int port)
    {
        Add(own, IPAddress.Any, port);
        Add(own, IPAddress.IPv6Any, port);
    }

    private static void Add(HashSet<TransportAddress> own, IPAddress address, int port) =>
        own.Add(TransportAddress.From(new IPEndPoint(address, port)));
}
