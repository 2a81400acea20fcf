namespace WebRtcIms.AppHost;

/// <summary>The certificate of the WAF's endpoint for keys, of which there is one for all services.</summary>
internal sealed record KeyEndpointAnnotation(Lazy<PemCertificate> Certificate) : IResourceAnnotation;

/// <summary>
/// The keys that the WAF shares with the TURN server and with the eP-CSCF. In a run the WAF makes them, and the others fetch them over
/// https; each knows the other's certificate (RFC 7635 §4.1.1). The manifest has one key for each as a parameter, because a deployment has
/// certificates of its own.
/// </summary>
internal static class KeyDelivery
{
    private const string EndpointName = "keys";

    // Longer than the interval at which the services fetch. So "Rotate keys" of the dashboard soon has effect.
    private const string LeadTime = "00:00:30";

    /// <summary>The long-term keys of TURN tokens, for all servers with one name.</summary>
    public static IResourceBuilder<ProjectResource> WithKeysFor(this IResourceBuilder<ProjectResource> waf,
        IReadOnlyList<IResourceBuilder<ProjectResource>> turn)
    {
        if (waf.ApplicationBuilder.ExecutionContext.IsRunMode) return waf.Deliver(turn, "Waf__TurnServers__0", "Turn");
        var server = turn[0].Get<TurnServerAnnotation>();
        var key = waf.ApplicationBuilder.AddParameter("turn-key", new RandomKey(), secret: true)
            .WithDescription("Long-term key K of RFC 7635 between WAF and TURN server: 32 bytes in base64.");
        foreach (var node in turn)
        {
            node.WithEnvironment("Turn__Keys__0__Kid", server.KeyId)
                .WithEnvironment("Turn__Keys__0__Key", key)
                .WithEnvironment("Turn__Keys__0__Algorithm", TurnServerAnnotation.Algorithm);
        }

        return waf.WithEnvironment("Waf__TurnServers__0__Key", key);
    }

    /// <summary>The keys of registration tokens.</summary>
    public static IResourceBuilder<ProjectResource> WithRegistrationKeysFor(this IResourceBuilder<ProjectResource> waf,
        IResourceBuilder<ProjectResource> epCscf)
    {
        if (waf.ApplicationBuilder.ExecutionContext.IsRunMode) return waf.Deliver([epCscf], "Waf__ImsRegistration", "EpCscf");
        var key = waf.ApplicationBuilder.AddParameter("ims-registration-key", new RandomKey(), secret: true)
            .WithDescription("Encrypts IMS registration tokens between WAF and eP-CSCF: 32 bytes in base64.");
        epCscf.WithEnvironment("EpCscf__TokenKeys__0__Kid", waf.Get<WafAnnotation>().RegistrationKeyId)
            .WithEnvironment("EpCscf__TokenKeys__0__Key", key);
        return waf.WithEnvironment("Waf__ImsRegistration__Key", key);
    }

    // The WAF knows one certificate for each name in tokens, so all servers of a fleet have the same.
    private static IResourceBuilder<ProjectResource> Deliver(this IResourceBuilder<ProjectResource> waf,
        IReadOnlyList<IResourceBuilder<ProjectResource>> services, string wafSection, string section)
    {
        var folder = Path.Combine(waf.ApplicationBuilder.DataDirectory(), "certificates");
        var ofService = Certificate(folder, services[0].Resource.Name, CertificateUse.Client);
        if (!waf.Resource.HasAnnotationOfType<KeyEndpointAnnotation>()) waf.WithKeyEndpoint(folder);
        var ofWaf = waf.Get<KeyEndpointAnnotation>().Certificate;
        foreach (var service in services)
        {
            service.WithEnvironment($"{section}__KeyDelivery__Address", waf.GetEndpoint(EndpointName))
                .WithEnvironment($"{section}__KeyDelivery__Authority", () => ofWaf.Value.Path)
                .WithEnvironment($"{section}__KeyDelivery__Certificate", () => ofService.Value.Path)
                .WithEnvironment($"{section}__KeyDelivery__CertificateKey", () => ofService.Value.KeyPath);
        }

        return waf.WithEnvironment($"{wafSection}__KeyLeadTime", LeadTime)
            .WithEnvironment($"{wafSection}__CertificateSha256", () => ofService.Value.Fingerprint);
    }

    // The WAF's other clients use http; the certificate is only for the services that fetch keys.
    private static void WithKeyEndpoint(this IResourceBuilder<ProjectResource> waf, string folder)
    {
        var certificate = Certificate(folder, "localhost", CertificateUse.Server);
        waf.WithAnnotation(new KeyEndpointAnnotation(certificate))
            .WithHttpsEndpoint(name: EndpointName)
            .WithEndpoint(EndpointName, endpoint => endpoint.ExcludeReferenceEndpoint = true)
            .WithUrlForEndpoint(EndpointName, url => url.DisplayLocation = UrlDisplayLocation.DetailsOnly)
            .WithEnvironment("Kestrel__Certificates__Default__Path", () => certificate.Value.Path)
            .WithEnvironment("Kestrel__Certificates__Default__KeyPath", () => certificate.Value.KeyPath);
    }

    // Not before the start: reading the model makes no file.
    private static Lazy<PemCertificate> Certificate(string folder, string host, string use) =>
        new(() => DevelopmentCertificate.For(host, folder, TimeProvider.System, use).ToPem());
}
