using System.Net;

namespace FenceGateway.TestKit;

/// <summary>
/// Debian's nginx as a WebDAV server on a free loopback port: a real service that knows nothing of fencing tokens. PUT,
/// DELETE, MKCOL, COPY and MOVE; with the package libnginx-mod-http-dav-ext also PROPFIND and OPTIONS. Disposing stops
/// it.
/// </summary>
public sealed class NginxServer : IAsyncDisposable
{
    private const string DavExtModule = "/usr/lib/nginx/modules/ngx_http_dav_ext_module.so";

    private readonly TempFolder _folder;
    private readonly ChildProcess _process;

    private NginxServer(TempFolder folder, ChildProcess process, IPAddress host, int port)
    {
        _folder = folder;
        _process = process;
        Port = port;
        Address = new($"http://{host}:{port}/");
    }

    public int Port { get; }

    public Uri Address { get; }

    /// <summary>The folder that it serves.</summary>
    public string Root => _folder.File("files");

    /// <param name="inside">Where it runs; null for here.</param>
    /// <exception cref="FileNotFoundException">nginx is not installed.</exception>
    public static async Task<NginxServer> StartAsync(NetworkNamespace? inside = null)
    {
        var host = inside?.Address ?? IPAddress.Loopback;
        var folder = new TempFolder();
        var port = FreePorts.Next();
        _ = Directory.CreateDirectory(folder.File("files"));
        await File.WriteAllTextAsync(folder.File("nginx.conf"), Configuration(folder, host, port));
        string[] command = [FindBinary(), "-p", folder.Path, "-c", folder.File("nginx.conf"), "-e", "stderr"];
        command = inside is null ? command : ["ip", "netns", "exec", inside.Name, .. command];
        var server = new NginxServer(folder, ChildProcess.Start(command[0], command[1..], name: "nginx"), host, port);
        try
        {
            await Readiness.WaitAsync(server._process, new Uri(server.Address, "__ready"), HttpStatusCode.NoContent);
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _process.DisposeAsync();
        _folder.Dispose();
    }

    private static string FindBinary()
    {
        var folders = $"{Environment.GetEnvironmentVariable("PATH")}:/usr/sbin:/usr/local/sbin".Split(':');
        return folders.Select(f => Path.Combine(f, "nginx")).FirstOrDefault(File.Exists)
            ?? throw new FileNotFoundException(
                "nginx is missing: install Debian's nginx-full and libnginx-mod-http-dav-ext");
    }

    /// <summary>
    /// One process, so that one process id is all there is to stop; it runs as whoever runs the tests.
    /// </summary>
    private static string Configuration(TempFolder folder, IPAddress host, int port)
    {
        var extended = File.Exists(DavExtModule);
        return $$"""
            {{(extended ? $"load_module {DavExtModule};" : "")}}
            daemon off;
            master_process off;
            pid {{folder.File("nginx.pid")}};
            error_log stderr error;
            events { worker_connections 256; }
            http {
                access_log off;
                client_body_temp_path {{folder.File("body")}};
                proxy_temp_path {{folder.File("proxy")}};
                fastcgi_temp_path {{folder.File("fastcgi")}};
                uwsgi_temp_path {{folder.File("uwsgi")}};
                scgi_temp_path {{folder.File("scgi")}};
                client_max_body_size 0;
                server {
                    listen {{host}}:{{port}};
                    root {{folder.File("files")}};
                    location = /__ready { return 204; }
                    location / {
                        dav_methods PUT DELETE MKCOL COPY MOVE;
                        {{(extended ? "dav_ext_methods PROPFIND OPTIONS;" : "")}}
                        create_full_put_path on;
                    }
                }
            }
            """;
    }
}
