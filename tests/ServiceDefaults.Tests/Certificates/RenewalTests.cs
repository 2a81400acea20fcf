using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using WebRtcIms.ServiceDefaults.Certificates;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.ServiceDefaults.Tests.Certificates;

/// <summary>Renewals while the process runs, as programs make them, and certificates that nobody renews.</summary>
public sealed class RenewalTests : IDisposable
{
    private static readonly TimeSpan Turn = TimeSpan.FromSeconds(2);

    private readonly CertificateChain _chain = new();
    private readonly LogRecorder _logs = new();
    private readonly FakeTimeProvider _time = new(TimeProvider.System.GetUtcNow());
    private readonly ServiceProvider _services;
    private readonly CertificateWatch _watch;

    public RenewalTests()
    {
        _services = new ServiceCollection().AddMetrics().AddLogging(logging => logging.AddProvider(_logs)).BuildServiceProvider();
        _watch = new CertificateWatch(
            _time, _services.GetRequiredService<IMeterFactory>(), _services.GetRequiredService<ILogger<WatchedCertificate>>());
    }

    public void Dispose()
    {
        _watch.Dispose();
        _services.Dispose();
        _logs.Dispose();
        _chain.Dispose();
    }

    [Fact]
    public void FilesThatAreWritten_ReplaceTheCertificate()
    {
        var certificate = Watch();
        _chain.Renew();
        WriteFiles();

        AssertRenewed(certificate);
        Assert.Equal(1, Count("New TLS connections get the new certificate of Path"));
    }

    [Fact]
    public void FilesThatAreRenamed_ReplaceTheCertificate()
    {
        var certificate = Watch();
        _chain.Renew(isRsa: true);
        WriteFiles(".new");
        foreach (var name in (string[])["cert.pem", "key.pem"])
            File.Move(_chain.PathOf(name + ".new"), _chain.PathOf(name), overwrite: true);

        AssertRenewed(certificate);
    }

    /// <summary>certbot: live/cert.pem is a link to archive/cert1.pem, and then to archive/cert2.pem.</summary>
    [Fact]
    public void LinksOfFiles_ReplaceTheCertificate_OneAfterTheOther()
    {
        WriteFiles("1");
        Link("cert.pem", "cert.pem1");
        Link("key.pem", "key.pem1");
        var certificate = Watch(writes: false);
        var old = _chain.Leaf.Thumbprint;
        _chain.Renew();
        WriteFiles("2");

        Link("cert.pem", "cert.pem2");
        Pass(turns: 1);
        Assert.Equal(old, certificate.Current.Leaf.Thumbprint);
        Link("key.pem", "key.pem2");

        AssertRenewed(certificate);
        Assert.DoesNotContain(_logs.Records, record => record.StartsWith("Error", StringComparison.Ordinal));
    }

    /// <summary>Kubernetes: cert.pem is a link through ..data, which is a link to a folder.</summary>
    [Fact]
    public void LinkOfAFolder_ReplacesTheCertificate()
    {
        foreach (var folder in (string[])["first", "second"]) Directory.CreateDirectory(_chain.PathOf(folder));
        Write("first/");
        Link("..data", "first");
        Link("cert.pem", "..data/cert.pem");
        Link("key.pem", "..data/key.pem");
        var certificate = Watch(writes: false);
        _chain.Renew();
        Write("second/");
        Link("..data", "second");

        AssertRenewed(certificate);

        void Write(string folder)
        {
            _chain.Write(folder + "cert.pem", _chain.LeafPem + _chain.IntermediatesPem);
            _chain.Write(folder + "key.pem", _chain.Key);
        }
    }

    [Fact]
    public void HalfOfAFile_IsNeverUsed()
    {
        var certificate = Watch();
        var old = _chain.Leaf.Thumbprint;
        _chain.Renew();
        var whole = _chain.LeafPem + _chain.IntermediatesPem;
        _chain.Write("key.pem", _chain.Key);

        // Each of these is there for one reading. The last but one ends between two certificates.
        foreach (var length in (int[])[0, 1, 100, _chain.LeafPem.Length - 10, _chain.LeafPem.Length])
        {
            _chain.Write("cert.pem", whole[..length]);
            Pass(turns: 1);
            Assert.Equal(old, certificate.Current.Leaf.Thumbprint);
        }

        _chain.Write("cert.pem", whole);
        AssertRenewed(certificate);
    }

    [Fact]
    public void FilesOfNoUse_LeaveTheOldCertificate_AndAreLoggedOnce()
    {
        var certificate = Watch();
        var old = _chain.Leaf.Thumbprint;
        _chain.Renew();
        _chain.Write("key.pem", _chain.Key);
        Pass(turns: 10);
        File.Delete(_chain.PathOf("cert.pem"));
        Pass(turns: 10);

        Assert.Equal(old, certificate.Current.Leaf.Thumbprint);
        var errors = _logs.Records.Where(record => record.StartsWith("Error", StringComparison.Ordinal)).ToList();
        Assert.Collection(
            errors,
            record => Assert.Contains("the old one stays. Key: ", record, StringComparison.Ordinal),
            record => Assert.Contains("the old one stays. Path: ", record, StringComparison.Ordinal));
        Assert.DoesNotContain(errors, record => record.Contains("BEGIN", StringComparison.Ordinal));

        WriteFiles();
        AssertRenewed(certificate);
    }

    [Theory]
    [InlineData(90, 15, false)]
    [InlineData(90, 13, true)]
    [InlineData(365, 13, true)]
    [InlineData(6, 2, false)]
    [InlineData(6, 1, true)]
    public void CertificateThatIsNotRenewed_IsLogged(int lifetime, int remaining, bool isLogged)
    {
        _chain.Renew(lifetime: TimeSpan.FromDays(lifetime), remaining: TimeSpan.FromDays(remaining));
        Watch();
        Pass(turns: 100);

        Assert.Equal(isLogged ? 1 : 0, Count("has not been renewed"));
    }

    [Fact]
    public async Task EndOfACertificate_IsDegraded_AndLoggedTwiceADay_UntilItIsRenewed()
    {
        _chain.Renew(remaining: TimeSpan.FromHours(30));
        var certificate = Watch();
        Assert.Equal(HealthStatus.Healthy, await HealthAsync());
        Assert.Equal((new DateTimeOffset(_chain.Leaf.NotAfter) - _time.GetUtcNow()).TotalSeconds, Remaining(), precision: 3);

        for (var hour = 0; hour < 31; hour++) _time.Advance(TimeSpan.FromHours(1));
        Assert.Equal((3, 1), (Count("has not been renewed"), Count("clients refuse it")));
        Assert.Equal(HealthStatus.Degraded, await HealthAsync());
        Assert.True(Remaining() < 0);

        _chain.Renew();
        WriteFiles();
        AssertRenewed(certificate);
        Assert.Equal(HealthStatus.Healthy, await HealthAsync());
    }

    [Fact]
    public void SameFiles_AreOneCertificate()
    {
        Assert.Same(Watch(), Watch());
        Assert.Throws<CertificateException>(() => _watch.Watch(Files with { Path = "none" }));
    }

    private CertificateFiles Files => new("Path", _chain.PathOf("cert.pem"), "Key", _chain.PathOf("key.pem"), "Password", null);

    private WatchedCertificate Watch(bool writes = true)
    {
        if (writes) WriteFiles();
        return _watch.Watch(Files);
    }

    private void WriteFiles(string suffix = "")
    {
        _chain.Write("cert.pem" + suffix, _chain.LeafPem + _chain.IntermediatesPem);
        _chain.Write("key.pem" + suffix, _chain.Key);
    }

    private void Link(string name, string target)
    {
        var link = _chain.PathOf(name);
        if (Directory.Exists(_chain.PathOf(target)))
        {
            if (Directory.Exists(link)) Directory.Delete(link);
            Directory.CreateSymbolicLink(link, target);
            return;
        }

        File.CreateSymbolicLink(link + ".link", target);
        File.Move(link + ".link", link, overwrite: true);
    }

    private void Pass(int turns)
    {
        for (var i = 0; i < turns; i++) _time.Advance(Turn);
    }

    private void AssertRenewed(WatchedCertificate certificate)
    {
        Pass(turns: 2);
        Assert.Equal(_chain.Leaf.Thumbprint, certificate.Current.Leaf.Thumbprint);
        Assert.Equal(2, certificate.Current.Context.IntermediateCertificates.Count);
    }

    private int Count(string text) => _logs.Records.Count(record => record.Contains(text, StringComparison.Ordinal));

    private async Task<HealthStatus> HealthAsync() => (await _watch.CheckHealthAsync(new(), TestContext.Current.CancellationToken)).Status;

    private double Remaining()
    {
        var last = double.NaN;
        using var listener = new MeterListener();
        listener.ListenTo(_services.GetRequiredService<IMeterFactory>(), "tls.certificate.remaining");
        listener.SetMeasurementEventCallback<double>((_, value, _, _) => last = value);
        listener.Start();
        listener.RecordObservableInstruments();
        return last;
    }
}
