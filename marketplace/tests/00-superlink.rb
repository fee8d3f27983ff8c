# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
require_relative '../../../lib/community/app_handler'

require 'openssl'
require 'socket'

# Seconds from the first SSH connection to the end of the configuration.
DEADLINE = 180

describe 'Flower SuperLink' do
    include_context('vm_handler')

    def page
        @info[:vm].ssh('cat /run/fact8ra/status').stdout.to_s
    end

    def trust
        OpenSSL::X509::Certificate.new(@info[:vm].ssh('cat /etc/flower/trust.crt').stdout)
    end

    def attribute(name)
        @info[:vm].xml["USER_TEMPLATE/#{name}"]
    end

    it 'says that it is ready' do
        deadline = Time.now + DEADLINE
        sleep 2 until page.start_with?('Flower appliance: READY') || Time.now > deadline
        expect(page).to start_with('Flower appliance: READY')
    end

    it 'tells OpenNebula so' do
        expect(attribute('FLOWER_STATE')).to eq('READY')
        expect(attribute('READY')).to eq('YES')
    end

    it 'runs its services' do
        %w[flower-superlink flower-superexec-server nginx].each do |unit|
            @info[:vm].ssh("systemctl is-active #{unit}").expect_success
        end
    end

    it 'answers over TLS under its own address' do
        context = OpenSSL::SSL::SSLContext.new
        context.cert_store = OpenSSL::X509::Store.new.add_cert(trust)
        context.verify_mode = OpenSSL::SSL::VERIFY_PEER
        Socket.tcp(@info[:vm].ip, 8443, connect_timeout: 10) do |socket|
            tls = OpenSSL::SSL::SSLSocket.new(socket, context)
            tls.connect
            tls.post_connection_check(@info[:vm].ip)
            tls.close
        end
    end

    it 'publishes the fingerprint of its certificate authority' do
        fingerprint = OpenSSL::Digest::SHA256.hexdigest(trust.to_der)
        expect(attribute('FLOWER_FINGERPRINT').delete(':').downcase).to eq(fingerprint)
    end

    it 'keeps the Control API from the network' do
        expect { Socket.tcp(@info[:vm].ip, 8000, connect_timeout: 5) }.to raise_error(StandardError)
    end

    it 'writes no secret into its logs' do
        token = APP_CONTEXT_PARAMS[:ONEAPP_FLOWER_JOIN_TOKEN]
        # grep ends with 1 where it finds nothing.
        expect(@info[:vm].ssh("journalctl --no-pager | grep -qF #{token}").exitstatus).to eq(1)
        expect(@info[:vm].ssh("grep -rqF #{token} /var/log /run/fact8ra/status /run/fact8ra/state.json").exitstatus).to eq(1)
    end
end
