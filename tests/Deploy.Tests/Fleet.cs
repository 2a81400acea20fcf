using System.Globalization;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.RegularExpressions;

namespace WebRtcIms.Deploy.Tests;

/// <summary>
/// All parts as processes of this machine, outside Development, with the environment of their manifests and the keys that the script makes.
/// Only names, ports and folders are those of this machine, and the stores are SQLite files.
/// </summary>
public sealed partial class Fleet : IAsyncLifetime
{
    private const string Loopback = "127.0.0.1";

    private readonly CertificateChain _certificates = new();
    private readonly TemporaryFolder _folder = new();
    private readonly List<PartProcess> _parts = [];
    // For each part, the port here for each port in the manifest.
    private readonly Dictionary<string, Dictionary<string, int>> _ports = [];
    private RedisServer? _redis;

    internal Variant Variant { get; } = Variant.Of(Variant.Everything);

    internal IReadOnlyList<PartProcess> Processes => _parts;

    internal PartProcess PartOf(string name) => _parts.Single(part => part.Part == name);

    internal int PortOf(string part, string port) => _ports[part][port];

    internal bool IsCertificateOfTheTests(object sender, X509Certificate? shown, X509Chain? chain, SslPolicyErrors problems) =>
        shown?.GetCertHashString(HashAlgorithmName.SHA256) == _certificates.Leaf.GetCertHashString(HashAlgorithmName.SHA256);

    public async ValueTask InitializeAsync()
    {
        var secrets = await Secrets.OfPartsAsync();
        _redis = await RedisServer.StartAsync();
        _certificates.Write("tls.crt", _certificates.LeafPem + _certificates.IntermediatesPem);
        _certificates.Write("tls.key", _certificates.Key);
        Directory.CreateDirectory(_certificates.PathOf("ca"));
        _certificates.Write("ca/ca.crt", _certificates.RootPem);
        foreach (var workload in Variant.Workloads)
        {
            _ports[workload.Name] = workload.Container.Ports.Select(port => port.ContainerPort).Distinct()
                .ToDictionary(port => port.ToString(CultureInfo.InvariantCulture), _ => FreePorts.TcpAndUdp());
        }

        foreach (var workload in Variant.Workloads)
        {
            Directory.CreateDirectory(Path.Combine(_folder.Path, workload.Name));
            foreach (var secret in workload.Template.Spec.Volumes.Where(volume => volume.Secret is not null))
            {
                foreach (var (name, text) in secrets.GetValueOrDefault(secret.Secret.SecretName) ?? new Dictionary<string, string>())
                    await File.WriteAllTextAsync(Path.Combine(_folder.Path, workload.Name, name), text);
            }

            var variables = workload.Environment(("status.hostIP", Loopback), ("spec.nodeName", "node-1"))
                .Concat(workload.Secrets.SelectMany(secret => secrets[secret]))
                // There is no such name here.
                .Where(variable => variable.Key != "Turn__PublicAddress")
                .ToDictionary(variable => variable.Key, variable => Here(workload.Name, variable.Key, variable.Value));
            _parts.Add(PartProcess.Start(workload.Name, variables));
        }

        await Task.WhenAll(Variant.Workloads.Select(UntilProbesAnswerAsync));
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var part in _parts) await part.DisposeAsync();
        if (_redis is not null) await _redis.DisposeAsync();
        _certificates.Dispose();
        _folder.Dispose();
    }

    private async Task UntilProbesAnswerAsync(Workload workload)
    {
        var port = PortOf(workload.Name, workload.IsOnHostNetwork ? "8083" : "8443");
        foreach (var probe in Probes.Of(workload))
        {
            // A pod is asked by its address, and the path is the one that the part must map.
            var address = new Uri($"{(probe.HttpGet.Scheme ?? "HTTP").ToLowerInvariant()}://127.0.0.1:{port}{probe.HttpGet.Path}");
            await PartOf(workload.Name).UntilAnswersAsync(address, IsCertificateOfTheTests);
        }
    }

    private string Here(string part, string name, string value) => name switch
    {
        "ConnectionStrings__redis" => _redis!.Address,
        "ConnectionStrings__waf" or "ConnectionStrings__wwsf" => $"Data Source={_folder.Path}/{part}/store.db",
        "AllowedHosts" when _ports.ContainsKey(value) => "localhost",
        "Prometheus__Port" or "Turn__Port" or "Turn__TlsPort" => $"{_ports[part][value]}",
        "ASPNETCORE_URLS" => Port().Replace(value, match => $":{_ports[part][match.Groups[1].Value]}")
            .Replace("*", Loopback, StringComparison.Ordinal),
        _ when name.StartsWith("Wwsf__TurnUris__", StringComparison.Ordinal) => TurnAddress().Replace(
            value, match => $"{Loopback}:{_ports["turn"][match.Groups[1].Value]}"),
        _ => PartAddress().Replace(value, match => $"https://localhost:{_ports[match.Groups[1].Value][match.Groups[2].Value]}")
            .Replace("/etc/tls", _certificates.Folder, StringComparison.Ordinal)
            .Replace("/etc/internal-ca", _certificates.PathOf("ca"), StringComparison.Ordinal)
            .Replace("/etc/turn-keys", Path.Combine(_folder.Path, part), StringComparison.Ordinal),
    };

    [GeneratedRegex(":([0-9]+)")]
    private static partial Regex Port();

    [GeneratedRegex(@"turn\.example\.com:([0-9]+)")]
    private static partial Regex TurnAddress();

    [GeneratedRegex("https://([a-z-]+):([0-9]+)")]
    private static partial Regex PartAddress();
}
